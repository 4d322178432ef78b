/**
 * Whether the node can be reached: a connection through the front door to each Worker, with a call of `/healthz` on it.
 * A Worker that calls itself ready, and a listening socket that is open, say nothing about that: either may have run out of
 * descriptors, or hang.
 */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Troubles } from '../../platform/health/troubles.js';
import type { Log } from '../../platform/log/log.js';
import { type Clock, type Moment, msSince } from '../../shared/base/clock.js';
import { errorText } from '../../shared/base/errors.js';
import type { DoorWorker, FrontDoor } from './front-door.js';

const EVERY_MS = 3000;
/** For a connection and its answer. */
const ANSWER_MS = 3000;
/** A Worker is closed when its last answer is older than this: three checks. */
const CLOSED_MS = 10_000;
const CALL = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
const ANSWERED = 'HTTP/1.1 200 ';
const CLOSED = 'closed without an answer';

export interface DoorCheckDeps {
  readonly door: Pick<FrontDoor, 'reserve'>;
  /** Workers that are ready. */
  readonly workers: () => readonly DoorWorker[];
  /** Where the door listens, as `listen` answered it. */
  readonly address: () => string;
  readonly tls: () => boolean;
  readonly troubles: Pick<Troubles, 'begin' | 'end'>;
  readonly clock: Clock;
  readonly log: Log;
}

interface Seen {
  /** Of the last answer; of the first look when there was none yet. */
  answeredAt: Moment;
  /** Why the last check failed. */
  fault: string | null;
}

export class DoorCheck {
  readonly #deps: DoorCheckDeps;
  readonly #seen = new Map<DoorWorker, Seen>();
  #timer: NodeJS.Timeout | null = null;
  #checking: Promise<unknown> | null = null;

  constructor(deps: DoorCheckDeps) {
    this.#deps = deps;
  }

  start(): void {
    void this.check();
    this.#timer = setInterval(() => void this.check(), EVERY_MS);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Workers that answer nobody any more, with the reason, in words. */
  get closed(): string[] {
    return [...this.#seen].flatMap(([{ name }, seen]) =>
      this.#isClosed(seen) ? [`${name} answers no connection: ${seen.fault}`] : [],
    );
  }

  /** Workers that answered a moment ago. */
  get open(): number {
    return [...this.#seen.values()].filter((seen) => !this.#isClosed(seen)).length;
  }

  /** Resolves when every Worker has answered, or has not in time. */
  async check(): Promise<void> {
    if (this.#checking) {
      await this.#checking;
      return;
    }
    const workers = this.#deps.workers();
    for (const worker of this.#seen.keys()) if (!workers.includes(worker)) this.#seen.delete(worker);
    this.#checking = Promise.all(workers.map((worker) => this.#checkOne(worker)));
    await this.#checking;
    this.#checking = null;
    const { closed } = this;
    if (closed.length > 0) this.#deps.troubles.begin('frontDoor', closed.join('; '));
    else this.#deps.troubles.end('frontDoor');
  }

  #isClosed({ answeredAt, fault }: Seen): boolean {
    return fault !== null && msSince(this.#deps.clock, answeredAt) > CLOSED_MS;
  }

  async #checkOne(worker: DoorWorker): Promise<void> {
    const { clock, log } = this.#deps;
    const seen = this.#seen.get(worker) ?? { answeredAt: clock.moment(), fault: null };
    this.#seen.set(worker, seen);
    const before = seen.fault;
    try {
      await this.#call(worker);
      seen.answeredAt = clock.moment();
      seen.fault = null;
      if (before !== null) log.info('door.open', { child: worker.name });
    } catch (error) {
      // The Worker was ended while it was being checked: that it does not answer is right.
      if (!this.#deps.workers().includes(worker)) return;
      seen.fault = errorText(error);
      // Said once when it begins; the status says it as long as it lasts.
      if (before === null) log.error('door.closed', { child: worker.name, error: seen.fault });
    }
  }

  async #call(worker: DoorWorker): Promise<void> {
    const { door, address, tls } = this.#deps;
    const socket = connect(reachable(address()));
    let release = (): void => {};
    // The kernel names the port with the call of connect(2), which Node makes in the next tick: before anything is accepted.
    process.nextTick(() =>
      process.nextTick(() => {
        if (socket.localPort !== undefined) release = door.reserve(socket.localPort, worker);
      }),
    );
    try {
      await answered(tls() ? connectTls({ socket, rejectUnauthorized: false }) : socket);
    } finally {
      release();
      socket.destroy();
    }
  }
}

/** Resolves with the first bytes of the right answer. */
function answered(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    const timer = setTimeout(() => reject(new Error(`no answer within ${ANSWER_MS} ms`)), ANSWER_MS);
    const done = (error: Error | null): void => {
      clearTimeout(timer);
      if (error) reject(error);
      else resolve();
    };
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // A reset means that the call was not read before the close; the status reports both as closed.
      done(error.code === 'ECONNRESET' ? new Error(CLOSED) : error);
    });
    socket.on('close', () => done(new Error(CLOSED)));
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (text.length < ANSWERED.length) return;
      done(text.startsWith(ANSWERED) ? null : new Error(`answered ${text.split('\r\n', 1)[0]}`));
    });
    socket.write(CALL);
  });
}

/** `0.0.0.0:9501` and `[::]:9501` are every address of the machine; it is reached over loopback. */
function reachable(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at).replace(/^\[|\]$/g, '');
  const port = Number(address.slice(at + 1));
  if (host === '0.0.0.0') return { host: '127.0.0.1', port };
  return { host: host === '::' ? '::1' : host, port };
}
