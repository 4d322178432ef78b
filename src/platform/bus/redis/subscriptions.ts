/**
 * What one connection is subscribed to. Changes of one turn of the loop are written together, in order; a subscription
 * is promised when the server has confirmed it. While there is no connection nothing is written, and nothing is waited for:
 * the next one begins with everything that is followed by then, and a gap is told after that. That keeps the promise too.
 */
import { SpushError } from '../../../shared/base/errors.js';
import { type RedisLink, within } from './redis-link.js';

/** Subscriptions written before the answers are awaited. */
export const SUBSCRIBE_BATCH = 500;
const BATCH_MS = 3000;

interface Change {
  readonly channel: string;
  readonly wanted: boolean;
  readonly promise: Promised | null;
}

interface Promised {
  resolve(): void;
}

export class Subscriptions {
  readonly #sharded: boolean;
  #link: RedisLink | null = null;
  #changes: Change[] = [];
  /** The connection that is being written to, a batch at a time. */
  #writing: RedisLink | null = null;
  /** Promises that wait for this connection. */
  readonly #promised = new Set<Promised>();

  constructor(sharded: boolean) {
    this.#sharded = sharded;
  }

  /**
   * Everything anew, over a fresh connection; resolves when it is confirmed, together with what changed meanwhile.
   * @param channels read bit by bit, so it may be long.
   */
  async start(link: RedisLink, channels: Iterable<string>): Promise<void> {
    this.#link = link;
    this.#changes = [];
    this.#writing = link;
    try {
      let batch: string[] = [];
      for (const channel of channels) {
        if (batch.push(channel) < SUBSCRIBE_BATCH) continue;
        await this.#subscribe(link, batch);
        batch = [];
      }
      if (batch.length > 0) await this.#subscribe(link, batch);
    } finally {
      this.#written(link);
    }
    await this.#write();
  }

  /** There is no connection any more: whoever waited is told of a gap when there is one again. */
  stop(): void {
    this.#link = null;
    this.#changes = [];
    for (const promise of [...this.#promised]) promise.resolve();
  }

  /** Resolves when it is confirmed, or there is no connection; rejects when one is there and slow. */
  subscribe(channel: string, deadlineMs: number, late: string): Promise<void> {
    if (!this.#link) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#promised.delete(promise);
        reject(new SpushError('RPC_TIMEOUT', `${late} within ${deadlineMs} ms`));
      }, deadlineMs);
      const promise: Promised = {
        resolve: () => {
          clearTimeout(timer);
          this.#promised.delete(promise);
          resolve();
        },
      };
      this.#promised.add(promise);
      this.#change({ channel, wanted: true, promise });
    });
  }

  unsubscribe(channel: string): void {
    this.#change({ channel, wanted: false, promise: null });
  }

  #change(change: Change): void {
    if (!this.#link) return;
    this.#changes.push(change);
    if (this.#changes.length === 1 && this.#writing !== this.#link)
      setImmediate(() => void this.#writeLater());
  }

  /** A connection that does not take them is lost, and says so itself. */
  async #writeLater(): Promise<void> {
    const link = this.#link;
    try {
      await this.#write();
    } catch (error) {
      if (link === this.#link) link?.fail(error);
    }
  }

  async #write(): Promise<void> {
    const link = this.#link;
    if (!link || this.#writing === link) return;
    this.#writing = link;
    try {
      while (link === this.#link && this.#changes.length > 0) {
        const run = this.#nextRun();
        const channels = run.map(({ channel }) => channel);
        if (run[0]?.wanted) await this.#subscribe(link, channels);
        else await this.#unsubscribe(link, channels);
        if (link === this.#link) for (const { promise } of run) promise?.resolve();
      }
    } finally {
      this.#written(link);
    }
  }

  #written(link: RedisLink): void {
    if (this.#writing === link) this.#writing = null;
  }

  /** The first changes that are of one kind. */
  #nextRun(): Change[] {
    const wanted = this.#changes[0]?.wanted;
    const other = this.#changes.findIndex((change) => change.wanted !== wanted);
    return this.#changes.splice(0, Math.min(SUBSCRIBE_BATCH, other === -1 ? this.#changes.length : other));
  }

  #subscribe({ client }: RedisLink, channels: readonly string[]): Promise<unknown> {
    const asked = this.#sharded
      ? corked(client.stream, () => Promise.all(channels.map((channel) => client.ssubscribe(channel))))
      : client.subscribe(...channels);
    return within(BATCH_MS, asked, `${channels.length} subscriptions were not confirmed`);
  }

  #unsubscribe({ client }: RedisLink, channels: readonly string[]): Promise<unknown> {
    const asked = this.#sharded
      ? corked(client.stream, () => Promise.all(channels.map((channel) => client.sunsubscribe(channel))))
      : client.unsubscribe(...channels);
    return within(BATCH_MS, asked, `the end of ${channels.length} subscriptions was not confirmed`);
  }
}

/** In a Cluster each channel needs a command of its own, as they lie on different slots; they are written together. */
function corked<T>(stream: RedisLink['client']['stream'], write: () => T): T {
  stream.cork();
  try {
    return write();
  } finally {
    stream.uncork();
  }
}
