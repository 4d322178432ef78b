/** A client that knows the protocol and nothing of the server's code. */
import WebSocket, { type ClientOptions } from 'ws';

export interface Frame {
  readonly cmd: string;
  readonly id: string;
  readonly ts: number;
  readonly code: number;
  readonly msg: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the program under test says; tests look into it as they need
  readonly body: any;
}

export interface Item {
  readonly id: string;
  readonly kind: string;
  readonly uid?: number;
  readonly title: string;
  readonly content: string;
}

const WAIT_MS = 15_000;

export class WsClient {
  readonly socket: WebSocket;
  /** Every frame, as it came. */
  readonly frames: Frame[] = [];
  /** The text of each. */
  readonly texts: string[] = [];
  closed: { code: number; reason: string } | null = null;
  readonly #watchers = new Set<() => void>();
  #lastId = 0;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data: Buffer) => {
      const text = data.toString();
      this.texts.push(text);
      this.frames.push(JSON.parse(text) as Frame);
      this.#changed();
    });
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
      this.#changed();
    });
    socket.on('error', () => {
      // told by `close`, or by `connect`
    });
  }

  /** Resolves when the connection is open; rejects with `status` when it is refused. */
  static connect(url: string, options: ClientOptions = {}): Promise<WsClient> {
    const socket = new WebSocket(url, options);
    const client = new WsClient(socket);
    return new Promise((resolve, reject) => {
      socket.once('open', () => resolve(client));
      socket.once('error', reject);
      socket.once('unexpected-response', (_request, response) => {
        response.resume();
        reject(new RefusedError(response.statusCode ?? 0, response.headers['retry-after']));
      });
    });
  }

  /** Connects and logs in as a user of the local environment. */
  static async login(
    url: string,
    uid: number,
    body: Record<string, unknown> = { ack: true },
  ): Promise<WsClient> {
    const client = await WsClient.connect(url);
    const reply = await client.ask('login', { ukey: `dev-${uid}`, ...body });
    if (reply.code !== 200) throw new Error(`login of ${uid}: ${reply.code} ${reply.msg}`);
    return client;
  }

  send(cmd: string, body?: unknown, id = `c${++this.#lastId}`): string {
    this.socket.send(JSON.stringify({ cmd, id, ts: Math.floor(Date.now() / 1000), body }));
    return id;
  }

  /** Sends a command and waits for its reply. */
  async ask(cmd: string, body?: unknown): Promise<Frame> {
    const id = this.send(cmd, body);
    return this.until(() => this.frames.find((frame) => frame.id === id));
  }

  event(cmd: string): Promise<Frame> {
    return this.until(() => this.frames.find((frame) => frame.cmd === cmd && frame.id === ''));
  }

  /** Resolves with the first value of `look` that is not undefined or false; looks after every frame. */
  until<T>(look: () => T | undefined | false, waitMs = WAIT_MS): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#watchers.delete(watch);
        reject(
          new Error(
            `waited ${waitMs} ms for ${look.toString()}; got ${JSON.stringify(this.frames.slice(-5))}`,
          ),
        );
      }, waitMs);
      const watch = (): void => {
        const value = look();
        if (value === undefined || value === false) return;
        clearTimeout(timer);
        this.#watchers.delete(watch);
        resolve(value);
      };
      this.#watchers.add(watch);
      watch();
    });
  }

  get pushes(): Item[][] {
    return this.frames.filter(({ cmd }) => cmd === 'push').map(({ body }) => body.items as Item[]);
  }

  get items(): Item[] {
    return this.pushes.flat();
  }

  untilItems(count: number, waitMs = WAIT_MS): Promise<Item[]> {
    return this.until(() => this.items.length >= count && this.items, waitMs);
  }

  untilClosed(waitMs = WAIT_MS): Promise<{ code: number; reason: string }> {
    return this.until(() => this.closed ?? undefined, waitMs);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.socket.close(1000);
    await this.untilClosed();
  }

  #changed(): void {
    for (const watch of [...this.#watchers]) watch();
  }
}

export class RefusedError extends Error {
  readonly status: number;
  readonly retryAfter: string | undefined;

  constructor(status: number, retryAfter: string | undefined) {
    super(`refused with ${status}`);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}
