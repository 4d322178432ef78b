/**
 * One Redis server in use: a connection that publishes, one that is subscribed, and the proof that they work. States:
 *
 *     opening → up → (something is wrong) → opening …, until closed
 *
 * - *opening*: both connections are made, everything is subscribed and confirmed, and a probe has come back.
 * - *up*: every second a probe is published over one connection and has to come back over the other within three
 *   seconds. A connection can be open and silent: the server is frozen, packets vanish, or it is a replica by now, to
 *   which nobody publishes any more. Then both are thrown away.
 *
 * What is to be published meanwhile waits, bounded. `onUp` is told after everything is subscribed again, so whoever reads
 * the store then misses nothing.
 */
import { type Clock, type StampedMoment, stampedNow } from '../../../shared/base/clock.js';
import { errorText, SpushError } from '../../../shared/base/errors.js';
import { addressText } from '../../../shared/base/host-and-port.js';
import type { Log } from '../../log/log.js';
import { type RedisLink, type ServerAddress, within } from './redis-link.js';
import { Subscriptions } from './subscriptions.js';
import { type Parcel, UnsentNews } from './unsent-news.js';

export const PROBE_EVERY_MS = 1000;
/** A probe that is not back by then will not come. */
export const PROBE_SILENCE_MS = 3000;
/** Between tries to connect: doubled each time, with jitter. */
const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 2000;

export interface ShardDeps {
  readonly address: ServerAddress;
  readonly sharded: boolean;
  /** On this server. */
  readonly probeChannel: string;
  /** Without the probe's. */
  readonly channels: () => Iterable<string>;
  readonly open: (address: ServerAddress, purpose: 'publish' | 'subscribe') => Promise<RedisLink>;
  /** Makes a message out of contents, with the next number. */
  readonly seal: (channel: string, contents: string) => Buffer;
  readonly onMessage: (shard: RedisShard, channel: string, message: Buffer) => void;
  readonly onUp: (shard: RedisShard) => void;
  readonly onDown: (shard: RedisShard) => void;
  /** News that did not get out. */
  readonly onLostNews: (lines: number) => void;
  /** A server said that something lies elsewhere. */
  readonly onMoved: () => void;
  readonly random: () => number;
  readonly clock: Clock;
  readonly log: Log;
}

interface Pair {
  readonly publish: RedisLink;
  readonly subscribe: RedisLink;
}

interface Waiting {
  readonly heard: () => void;
  readonly failed: (error: Error) => void;
}

export class RedisShard {
  readonly name: string;
  readonly #deps: ShardDeps;
  readonly #unsent = new UnsentNews();
  readonly #subscriptions: Subscriptions;
  readonly #probes = new Map<string, Waiting>();
  #pair: Pair | null = null;
  #up = false;
  #closed = false;
  #sending: NodeJS.Immediate | null = null;
  #probeNumber = 0;
  #proven: StampedMoment;
  #timer: NodeJS.Timeout | null = null;
  #wake: (() => void) | null = null;
  #fault: Error = new Error('not connected yet');
  #firstTry: { resolve(): void; reject(error: Error): void } | null = null;

  constructor(deps: ShardDeps) {
    this.#deps = deps;
    this.name = addressText(deps.address);
    this.#subscriptions = new Subscriptions(deps.sharded);
    this.#proven = stampedNow(deps.clock);
  }

  get up(): boolean {
    return this.#up;
  }

  /** For commands beside news; null while it is not up. */
  get link(): RedisLink | null {
    return this.#up && this.#pair ? this.#pair.publish : null;
  }

  /** Until then everything has come through. Before the first proof: since when it is in use. */
  get proven(): StampedMoment {
    return this.#proven;
  }

  /** What was wrong last. */
  get fault(): Error {
    return this.#fault;
  }

  /** Begins, and goes on until it is closed. Rejects when the first try fails. */
  start(): Promise<void> {
    const first = new Promise<void>((resolve, reject) => {
      this.#firstTry = { resolve, reject };
    });
    void this.#run();
    return first;
  }

  publish(channel: string, line: string, always = false): boolean {
    if (this.#closed || !this.#unsent.put(channel, line, always)) return false;
    if (this.#up) this.#sending ??= setImmediate(() => this.#send());
    return true;
  }

  subscribe(channel: string, deadlineMs: number): Promise<void> {
    return this.#subscriptions.subscribe(
      channel,
      deadlineMs,
      `the subscription at Redis ${this.name} was not confirmed`,
    );
  }

  unsubscribe(channel: string): void {
    this.#subscriptions.unsubscribe(channel);
  }

  /** There and back: what reached the server before is given to the listener before this resolves. */
  probe(deadlineMs: number): Promise<void> {
    if (this.#up) return this.#roundTrip(deadlineMs);
    const text = `Redis ${this.name} is not reached: ${errorText(this.#fault)}`;
    return Promise.reject(new SpushError('RPC_PEER_GONE', text, { cause: this.#fault }));
  }

  /** A probe has come back, rightly signed. */
  heard(id: string): void {
    this.#probes.get(id)?.heard();
  }

  /** What has not been sent, so that it can be sent elsewhere. */
  takeUnsent(): Parcel[] {
    const parcels = this.#unsent.take();
    this.#unsent.confirmed(parcels);
    return parcels;
  }

  async close(deadlineMs: number): Promise<void> {
    if (this.#closed) return;
    const { link } = this;
    this.#send();
    this.#closed = true;
    this.#stopTimer();
    this.#wake?.();
    try {
      // Answers come in order: with this one everything before it is through.
      if (link) await within(deadlineMs, link.client.ping(), 'no answer');
    } catch (error) {
      this.#deps.log.debug('redis.closeUnanswered', { server: this.name, error: errorText(error) });
    }
    this.#drop(new Error('closed'));
  }

  async #run(): Promise<void> {
    for (let tries = 0; !this.#closed; tries += 1) {
      try {
        const lost = await this.#open();
        tries = 0;
        this.#fault = await lost;
      } catch (error) {
        this.#fault = error instanceof Error ? error : new Error(String(error));
      }
      if (this.#closed) return;
      this.#tellDown(tries);
      const most = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(tries, 10));
      await this.#pause(most * (0.5 + this.#deps.random() / 2));
    }
  }

  #tellDown(tries: number): void {
    const wasUp = this.#up;
    this.#drop(this.#fault);
    this.#firstTry?.reject(this.#fault);
    this.#firstTry = null;
    const fields = { server: this.name, error: errorText(this.#fault) };
    if (wasUp) this.#deps.log.warn('redis.lost', fields);
    else if (tries === 0) this.#deps.log.warn('redis.notReached', fields);
    this.#deps.onDown(this);
  }

  /** Answers a promise of what ends it. */
  async #open(): Promise<Promise<Error>> {
    const { address, open, channels, probeChannel } = this.#deps;
    const links = await Promise.allSettled([open(address, 'publish'), open(address, 'subscribe')]);
    const [publish, subscribe] = links;
    if (publish.status === 'rejected' || subscribe.status === 'rejected' || this.#closed) {
      for (const link of links) if (link.status === 'fulfilled') link.value.close();
      throw publish.status === 'rejected' ? publish.reason : (subscribe as PromiseRejectedResult).reason;
    }
    const pair: Pair = { publish: publish.value, subscribe: subscribe.value };
    this.#pair = pair;
    const lost = new Promise<Error>((resolve) => {
      pair.publish.onLost(resolve);
      pair.subscribe.onLost(resolve);
    });
    this.#listen(pair.subscribe);
    const ready = (async () => {
      await this.#assertPrimary(pair.publish);
      await this.#subscriptions.start(pair.subscribe, withFirst(probeChannel, channels()));
      await this.#roundTrip(PROBE_SILENCE_MS);
    })();
    const fault = await Promise.race([ready, lost]);
    if (fault) {
      // What it was waiting for fails too, and says nothing new.
      ready.catch(() => {});
      throw fault;
    }
    if (this.#closed) throw new Error('closed');
    this.#up = true;
    this.#proven = stampedNow(this.#deps.clock);
    this.#send();
    this.#firstTry?.resolve();
    this.#firstTry = null;
    this.#tick();
    this.#deps.onUp(this);
    return lost;
  }

  #listen({ client }: RedisLink): void {
    const { onMessage, sharded } = this.#deps;
    client.on(sharded ? 'smessageBuffer' : 'messageBuffer', (channel: Buffer, message: Buffer) => {
      if (!this.#closed) onMessage(this, channel.toString(), message);
    });
  }

  #tick(): void {
    this.#timer = setTimeout(() => {
      if (!this.#up) return;
      void this.#check();
      this.#tick();
    }, PROBE_EVERY_MS);
  }

  async #check(): Promise<void> {
    const pair = this.#pair;
    if (!pair) return;
    const sent = stampedNow(this.#deps.clock);
    try {
      await Promise.all([this.#roundTrip(PROBE_SILENCE_MS), this.#assertPrimary(pair.publish)]);
      if (pair === this.#pair) this.#proven = sent;
    } catch (error) {
      if (pair === this.#pair) pair.subscribe.fail(error);
    }
  }

  /** On a replica everything seems well, and nobody publishes there. */
  async #assertPrimary({ client }: RedisLink): Promise<void> {
    const role = await within(PROBE_SILENCE_MS, roleOf(client), `Redis ${this.name} did not tell its role`);
    if (role !== null && role !== 'master') {
      throw new SpushError('RPC_PEER_GONE', `Redis ${this.name} is a ${role}, no primary`);
    }
  }

  async #roundTrip(deadlineMs: number): Promise<void> {
    const pair = this.#pair;
    if (!pair) throw this.#fault;
    this.#probeNumber += 1;
    const id = String(this.#probeNumber);
    const back = new Promise<void>((heard, failed) => {
      this.#probes.set(id, { heard, failed });
    });
    try {
      this.#send();
      const { probeChannel } = this.#deps;
      const probe = { channel: probeChannel, contents: JSON.stringify({ t: 'probe', id }), lines: 0 };
      const delivered = this.#deliver(pair.publish, [probe]).then((errors) => {
        this.#findLost([probe], errors);
        // What is refused does not come back; why it was says more than that it did not.
        if (errors[0]) throw errors[0];
        return back;
      });
      const either = Promise.race([back, delivered]);
      await within(deadlineMs, either, `Redis ${this.name} did not bring back a probe`);
    } finally {
      this.#probes.delete(id);
    }
  }

  #send(): void {
    if (this.#sending) clearImmediate(this.#sending);
    this.#sending = null;
    const link = this.link;
    if (!link || this.#unsent.isEmpty) return;
    const parcels = this.#unsent.take();
    void this.#deliver(link, parcels).then((errors) => {
      this.#unsent.confirmed(parcels);
      this.#findLost(parcels, errors);
    });
  }

  /** Answers what each of them met; never rejects. */
  async #deliver({ client }: RedisLink, parcels: readonly Parcel[]): Promise<(Error | null)[]> {
    const { seal, sharded } = this.#deps;
    const pipeline = client.pipeline();
    for (const { channel, contents } of parcels) {
      const message = seal(channel, contents);
      if (sharded) pipeline.spublish(channel, message);
      else pipeline.publish(channel, message);
    }
    return await pipeline.exec().then(
      (results) => results?.map(([error]) => error) ?? [],
      (error: Error) => parcels.map(() => error),
    );
  }

  #findLost(parcels: readonly Parcel[], errors: readonly (Error | null)[]): void {
    let lines = 0;
    let moved = false;
    for (const [at, error] of errors.entries()) {
      if (!error) continue;
      lines += parcels[at]?.lines ?? 0;
      moved ||= /^(MOVED|CLUSTERDOWN)/.test(error.message);
    }
    if (moved) this.#deps.onMoved();
    if (lines > 0) this.#deps.onLostNews(lines);
  }

  #drop(reason: Error): void {
    this.#up = false;
    this.#stopTimer();
    this.#subscriptions.stop();
    this.#pair?.publish.close();
    this.#pair?.subscribe.close();
    this.#pair = null;
    for (const { failed } of this.#probes.values()) failed(reason);
  }

  #stopTimer(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Null when the user may not ask. */
async function roleOf(client: RedisLink['client']): Promise<string | null> {
  try {
    return String((await client.role())[0]);
  } catch (error) {
    if (errorText(error).startsWith('NOPERM')) return null;
    throw error;
  }
}

function* withFirst(first: string, rest: Iterable<string>): Iterable<string> {
  yield first;
  yield* rest;
}
