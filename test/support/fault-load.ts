/**
 * Devices that stay logged in whatever happens, and a caller that posts single messages at a steady rate to all nodes, as
 * careful ones do: a lost connection is made again, a call that fails is repeated under the same id for a while, a message is
 * shown once by its id and acknowledged. They only note what they see; fault-audit.ts judges.
 */
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';
import { type ApiKey, signCall } from '../../src/platform/auth/signature.js';
import type { Daemon } from './daemon.js';
import type { Frame, Item } from './ws-client.js';

const POST_PATH = '/api/comment/message';
const TICK_MS = 10;
/** Calls under way; above it the caller leaves out ticks and says how many. */
const CALLS_MAX = 400;
const SOCKETS_MAX = 64;
const CALL_MS = 8000;
const RETRY_MS = 250;
/** A call that has failed for so long is given up: refused. */
const GIVE_UP_MS = 5000;
const RECONNECT_MS = 300;
const LOGIN_MS = 8000;
const ACK_EVERY_MS = 250;
const ACKS_MAX = 500;

export interface SentMessage {
  readonly title: string;
  readonly uid: number;
  readonly calledAt: number;
  /** When it was answered 200, ms of `performance.now()`; null: it was not (yet). */
  answeredAt: number | null;
  id: string | null;
  refused: string | null;
  /** When each device of its user showed it first. */
  readonly shown: Map<FaultDevice, number>;
  /** Under how many ids it was seen. */
  readonly ids: Set<string>;
}

/** One device of one user at one node; logs in again and again until it is closed. */
export class FaultDevice {
  readonly uid: number;
  readonly node: number;
  /** The same id again on one connection. */
  rawDoubles = 0;
  /** The same id again on a later connection: an old message that was not acknowledged. */
  again = 0;
  /** Shown twice though doubles by id were dropped. */
  shownTwice = 0;
  strange = 0;
  connects = 0;
  /** Moments at which it lost its connection. */
  readonly lostAt: number[] = [];
  readonly refusals = new Map<string, number>();
  readonly #url: string;
  readonly #messages: ReadonlyMap<string, SentMessage>;
  readonly #known = new Set<string>();
  readonly #toAck = new Set<string>();
  /** Under way, by the command's id. */
  readonly #acks = new Map<string, string[]>();
  #lastAck = 0;
  #socket: WebSocket | null = null;
  #loggedIn = false;
  #closing = false;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(url: string, uid: number, node: number, messages: ReadonlyMap<string, SentMessage>) {
    this.#url = url;
    this.uid = uid;
    this.node = node;
    this.#messages = messages;
  }

  get loggedIn(): boolean {
    return this.#loggedIn;
  }

  start(): void {
    this.#running = this.#run();
    this.#timer = setInterval(() => this.#ack(), ACK_EVERY_MS);
  }

  async close(): Promise<void> {
    this.#closing = true;
    if (this.#timer) clearInterval(this.#timer);
    this.#socket?.terminate();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#closing) {
      const how = await this.#connection();
      if (this.#closing) return;
      if (this.#loggedIn) this.lostAt.push(performance.now());
      else this.refusals.set(how, (this.refusals.get(how) ?? 0) + 1);
      this.#loggedIn = false;
      await sleep(RECONNECT_MS * (0.5 + Math.random()));
    }
  }

  /** Resolves with a word when it has ended. */
  #connection(): Promise<string> {
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    const seen = new Set<string>();
    let how = 'closed';
    const late = setTimeout(() => {
      how = 'no answer to the login';
      socket.terminate();
    }, LOGIN_MS);
    return new Promise((resolve) => {
      socket.on('open', () => this.#say('login', 'login', { ukey: `dev-${this.uid}`, ack: true }));
      socket.on('message', (data: Buffer) => {
        const frame = JSON.parse(data.toString()) as Frame;
        if (frame.cmd === 'push') for (const item of frame.body.items as Item[]) this.#take(item, seen);
        else if (frame.id === 'login') {
          clearTimeout(late);
          if (frame.code === 200) {
            this.connects += 1;
            this.#loggedIn = true;
          } else {
            how = String(frame.code);
            socket.close();
          }
        } else this.#acked(frame);
      });
      socket.on('error', (error: NodeJS.ErrnoException) => {
        how = error.code ?? error.message;
      });
      socket.on('close', () => {
        clearTimeout(late);
        for (const ids of this.#acks.values()) for (const id of ids) this.#toAck.add(id);
        this.#acks.clear();
        resolve(how);
      });
    });
  }

  #take(item: Item, seen: Set<string>): void {
    if (seen.has(item.id)) this.rawDoubles += 1;
    else if (this.#known.has(item.id)) this.again += 1;
    seen.add(item.id);
    this.#toAck.add(item.id);
    if (this.#known.has(item.id)) return;
    this.#known.add(item.id);
    const message = this.#messages.get(item.title);
    if (!message || message.uid !== this.uid) {
      this.strange += 1;
      return;
    }
    message.ids.add(item.id);
    if (message.shown.has(this)) this.shownTwice += 1;
    else message.shown.set(this, performance.now());
  }

  #ack(): void {
    if (!this.#loggedIn || this.#toAck.size === 0) return;
    const ids = [...this.#toAck].slice(0, ACKS_MAX);
    for (const id of ids) this.#toAck.delete(id);
    this.#lastAck += 1;
    const name = `ack${this.#lastAck}`;
    this.#acks.set(name, ids);
    this.#say('ack', name, { ids });
  }

  /** What the server could not take is acknowledged again. */
  #acked({ id, code }: Frame): void {
    const ids = this.#acks.get(id);
    if (!ids) return;
    this.#acks.delete(id);
    if (code !== 200) for (const one of ids) this.#toAck.add(one);
  }

  #say(cmd: string, id: string, body: object): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#socket.send(JSON.stringify({ cmd, id, ts: Math.floor(Date.now() / 1000), body }));
  }
}

export class FaultPoster {
  readonly messages = new Map<string, SentMessage>();
  /** Ticks in which too many calls were under way. */
  behind = 0;
  retries = 0;
  readonly #nodes: readonly Daemon[];
  readonly #key: ApiKey;
  readonly #random: () => number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: SOCKETS_MAX });
  #timer: NodeJS.Timeout | null = null;
  #calls = 0;

  constructor(nodes: readonly Daemon[], key: ApiKey, random: () => number) {
    this.#nodes = nodes;
    this.#key = key;
    this.#random = random;
  }

  start(uids: readonly number[], perSecond: number): void {
    let lastAt = performance.now();
    let owed = 0;
    this.#timer = setInterval(() => {
      const now = performance.now();
      owed = Math.min(owed + (perSecond * (now - lastAt)) / 1000, perSecond);
      lastAt = now;
      for (; owed >= 1; owed -= 1) {
        if (this.#calls >= CALLS_MAX) {
          this.behind += 1;
          owed = 0;
          return;
        }
        void this.#send(uids[Math.floor(this.#random() * uids.length)] ?? 0);
      }
    }, TICK_MS);
  }

  /** Resolves when every call is answered or given up. */
  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    while (this.#calls > 0) await sleep(10);
  }

  close(): void {
    this.#agent.destroy();
  }

  async #send(uid: number): Promise<void> {
    const title = `f${this.messages.size + 1}`;
    const message: SentMessage = {
      title,
      uid,
      calledAt: performance.now(),
      answeredAt: null,
      id: null,
      refused: null,
      shown: new Map(),
      ids: new Set(),
    };
    this.messages.set(title, message);
    this.#calls += 1;
    const text = JSON.stringify({ uid, title, id: title });
    let node = Math.floor(this.#random() * this.#nodes.length);
    let why = '';
    try {
      while (performance.now() - message.calledAt < GIVE_UP_MS) {
        try {
          const { status, body } = await this.#post(this.#nodes[node], text);
          if (status === 200) {
            message.answeredAt = performance.now();
            message.id = (JSON.parse(body) as { data: { ids: string[] } }).data.ids[0] ?? null;
            return;
          }
          why = String(status);
        } catch (error) {
          why = (error as NodeJS.ErrnoException).code ?? String(error);
        }
        this.retries += 1;
        // As a balancer would.
        node = (node + 1) % this.#nodes.length;
        await sleep(RETRY_MS);
      }
      message.refused = why;
    } finally {
      this.#calls -= 1;
    }
  }

  #post(node: Daemon | undefined, text: string): Promise<{ status: number; body: string }> {
    const timestamp = Math.floor(Date.now() / 1000);
    const type = 'application/json';
    const nonce = randomUUID();
    const call = { method: 'POST', path: POST_PATH, contentType: type, body: text, timestamp, nonce };
    return new Promise((resolve, reject) => {
      const req = request(
        {
          host: '127.0.0.1',
          port: node?.port,
          method: 'POST',
          path: POST_PATH,
          agent: this.#agent,
          timeout: CALL_MS,
          headers: {
            'content-type': type,
            'content-length': Buffer.byteLength(text),
            ...signCall(this.#key, call),
          },
        },
        (response) => {
          let body = '';
          response.setEncoding('utf8');
          response.on('data', (part: string) => {
            body += part;
          });
          response.on('error', reject);
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
        },
      );
      req.on('timeout', () => req.destroy(new Error('no answer')));
      req.on('error', reject);
      req.end(text);
    });
  }
}

/** One try to log in, then away again. Answers the code, or what came instead of one. */
export function oneLogin(url: string, uid: number): Promise<string> {
  const socket = new WebSocket(url, { handshakeTimeout: LOGIN_MS });
  return new Promise((resolve) => {
    let answer = 'closed';
    const end = (how: string): void => {
      answer = how;
      clearTimeout(late);
      socket.terminate();
    };
    const late = setTimeout(() => end('no answer'), LOGIN_MS);
    socket.on('open', () => {
      const ts = Math.floor(Date.now() / 1000);
      socket.send(JSON.stringify({ cmd: 'login', id: 'login', ts, body: { ukey: `dev-${uid}` } }));
    });
    socket.on('message', (data: Buffer) => {
      const { id, code } = JSON.parse(data.toString()) as Frame;
      if (id === 'login') end(String(code));
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (answer === 'closed') answer = error.code ?? error.message;
    });
    socket.on('close', () => {
      clearTimeout(late);
      resolve(answer);
    });
  });
}
