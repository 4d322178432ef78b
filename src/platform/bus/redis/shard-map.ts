/**
 * Where Redis is: one shard for each server that holds channels, found again whenever that changes.
 *
 * In a Cluster a channel lies on the server of its slot, where the server has sharded pub/sub; elsewhere any one server
 * carries all of them and is called home.
 */
import { type Clock, earliestStamp } from '../../../shared/base/clock.js';
import { errorText } from '../../../shared/base/errors.js';
import { addressText } from '../../../shared/base/host-and-port.js';
import type { Log } from '../../log/log.js';
import { keySlot, SLOTS } from './key-slot.js';
import type { Layout, LayoutFinder, LayoutServer } from './redis-layout.js';
import type { RedisShard } from './redis-shard.js';
import type { Parcel } from './unsent-news.js';

/** How often it is asked where Redis is, when that can change; and how soon after a server is lost. */
const LAYOUT_EVERY_MS = 2000;
const LAYOUT_SOON_MS = 250;

export interface ShardMapOptions {
  readonly finder: LayoutFinder;
  readonly newShard: (server: LayoutServer, sharded: boolean) => RedisShard;
  readonly onHealth: (healthy: boolean) => void;
  readonly random: () => number;
  readonly log: Log;
  readonly seldom: Pick<Log, 'warn'>;
}

export class ShardMap {
  readonly #options: ShardMapOptions;
  /** By address. */
  readonly #shards = new Map<string, { readonly shard: RedisShard; readonly slots: string }>();
  readonly #bySlot: (RedisShard | undefined)[] = new Array(SLOTS);
  #sharded = false;
  #forwards = false;
  /** Where all channels are, when they do not lie on slots. */
  #home: RedisShard | undefined;
  #healthy = false;
  #watching = false;
  #closed = false;
  #timer: NodeJS.Timeout | null = null;
  #finding = false;
  #findingSoon = false;

  constructor(options: ShardMapOptions) {
    this.#options = options;
  }

  /** Whether every connection in use has proved that it works. */
  get healthy(): boolean {
    return this.#healthy;
  }

  /** Whether servers forward to each other what is published, so that a probe of one says nothing about the others. */
  get forwards(): boolean {
    return this.#forwards;
  }

  /** Resolves when every server that is in use has been reached; rejects when Redis is not found or one of them is not reached. */
  async start(): Promise<void> {
    const layout = await this.#options.finder.find([]);
    await Promise.all(this.#apply(layout));
  }

  /** From now on it follows what changes. */
  watch(): void {
    this.#watching = true;
    if (this.#options.finder.changes) this.#findLater(LAYOUT_EVERY_MS);
  }

  /** Undefined while nobody carries it. */
  of(channel: string): RedisShard | undefined {
    return this.#sharded ? this.#bySlot[keySlot(channel)] : this.#home;
  }

  /** The server that holds a key beside the news; undefined while it is not known. */
  holding(key: string): RedisShard | undefined {
    return this.#bySlot[keySlot(key)];
  }

  /** Unix ms: until then everything has come through on every connection in use. */
  provenAt(clock: Clock): number {
    return Math.min(...this.all().map(({ proven }) => earliestStamp(clock, proven)));
  }

  all(): RedisShard[] {
    return [...this.#shards.values()].map(({ shard }) => shard);
  }

  judgeHealth(): void {
    const shards = this.all();
    const healthy = shards.length > 0 && shards.every(({ up }) => up);
    if (healthy === this.#healthy || this.#closed) return;
    this.#healthy = healthy;
    this.#options.onHealth(healthy);
  }

  /** A server was lost or says that it no longer holds what it held. */
  findSoon(): void {
    if (!this.#watching || !this.#options.finder.changes || this.#findingSoon) return;
    this.#findingSoon = true;
    this.#findLater(LAYOUT_SOON_MS);
  }

  /** What is on its way out has `deadlineMs` to get out. */
  async close(deadlineMs: number): Promise<void> {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#options.finder.close();
    await Promise.all(this.all().map((shard) => shard.close(deadlineMs)));
    this.#shards.clear();
  }

  #findLater(ms: number): void {
    if (this.#closed) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#find(), ms);
  }

  async #find(): Promise<void> {
    if (this.#finding) return;
    this.#finding = true;
    try {
      const open = this.all().flatMap(({ link }) => link ?? []);
      const layout = await this.#options.finder.find(open);
      if (this.#closed) return;
      for (const started of this.#apply(layout)) started.catch(() => {}); // the shard has logged it and goes on
    } catch (error) {
      const log = this.#options.seldom;
      log.warn('redis.layoutUnknown', { error: errorText(error) });
    } finally {
      this.#finding = false;
      this.#findingSoon = false;
    }
    this.#findLater(LAYOUT_EVERY_MS);
  }

  /**
   * Answers what is being started. A server that has stayed as it was is not touched; one that holds other slots is begun
   * anew, as even its probe may lie elsewhere now.
   */
  #apply({ servers, sharded, forwards }: Layout): Promise<void>[] {
    const wanted = new Map(
      servers.map((server) => [addressText(server.address), { server, slots: textOf(server) }]),
    );
    const unsent: Parcel[] = [];
    const retire = (name: string, shard: RedisShard): void => {
      this.#shards.delete(name);
      unsent.push(...shard.takeUnsent());
      void shard.close(0);
    };
    this.#sharded = sharded;
    this.#forwards = forwards;
    for (const [name, { shard, slots }] of this.#shards) {
      if (wanted.get(name)?.slots === slots) continue;
      if (!wanted.has(name)) this.#options.log.warn('redis.serverGone', { server: name });
      retire(name, shard);
    }
    if (!sharded && !this.all().some((shard) => shard === this.#home)) {
      // Another one will be home: it is begun anew too, as only what begins subscribes to everything.
      for (const [name, { shard }] of this.#shards) retire(name, shard);
    }
    const fresh: RedisShard[] = [];
    for (const [name, { server, slots }] of wanted) {
      if (this.#shards.has(name)) continue;
      const shard = this.#options.newShard(server, sharded);
      this.#shards.set(name, { shard, slots });
      fresh.push(shard);
    }
    this.#mapSlots(servers);
    for (const { channel, contents } of unsent) {
      for (const line of contents.split('\n')) this.of(channel)?.publish(channel, line, true);
    }
    if (fresh.length > 0) this.judgeHealth();
    return fresh.map((shard) => shard.start());
  }

  #mapSlots(servers: readonly LayoutServer[]): void {
    this.#bySlot.fill(undefined);
    for (const { address, slots } of servers) {
      const shard = this.#shards.get(addressText(address))?.shard;
      for (const { from, to } of slots) this.#bySlot.fill(shard, from, to + 1);
    }
    const all = this.all();
    if (this.#home && all.includes(this.#home)) return;
    // In an old Cluster any server does: news is the same on all.
    this.#home = all[Math.floor(this.#options.random() * all.length)];
  }
}

function textOf({ slots }: LayoutServer): string {
  return slots.map(({ from, to }) => `${from}-${to}`).join(',');
}
