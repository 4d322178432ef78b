/**
 * What all connections of this Worker have unsent together, bounded. While it is too much, connections that are behind get no
 * more live copies and no pages of messages are read. Those that have stood still longest are given up, then those that take
 * what they are sent more slowly than any line does. The last eighth is kept for users who have nothing unsent, so that slow
 * users cannot block them.
 */
import { type Clock, type Moment, msBetween } from '../../shared/base/clock.js';

export interface BehindConnection {
  /** Null: not logged in. */
  readonly uid: number | null;
  readonly unsentBytes: number;
  /** What it has taken so far; only ever compared with an earlier one. */
  readonly takenBytes: number;
  /** For how long nothing of it has moved, as far as it was looked at. */
  stoodStillMs(now: Moment): number;
  giveUp(): void;
}

export interface BacklogDeps {
  readonly clock: Pick<Clock, 'moment'>;
  /** Of the whole Worker. */
  readonly bytesMax: () => number;
}

/** One user's connections may hold this part. */
const USER_PART = 1 / 8;
/** Sums are made anew after this: output leaves without a word. */
const COUNT_MS = 20;
/** A connection that has stood still for less is not given up … */
const STILL_MS = 2_000;
/** … nor is one that takes SLOW_BYTES within SLOW_MS, or all it had to take when that was less. */
const SLOW_MS = 8_000;
const SLOW_BYTES = 64 * 1024;
/** Users who have something unsent may fill this part. */
const BEHIND_PART = 7 / 8;

/** A moment at which there was no room, and how far everybody was then. */
interface Sample {
  readonly at: Moment;
  readonly of: ReadonlyMap<BehindConnection, { readonly taken: number; readonly unsent: number }>;
}

export class Backlog {
  readonly #deps: BacklogDeps;
  readonly #behind = new Set<BehindConnection>();
  #bytes = 0;
  #ofUsers = new Map<number, number>();
  #countedAt: Moment | null = null;
  /** Since the last count: it looks at everybody. */
  #triedToMakeRoom = false;
  #sample: Sample | null = null;

  constructor(deps: BacklogDeps) {
    this.#deps = deps;
  }

  /** To be told of each write that was not taken at once. */
  isBehind(connection: BehindConnection, writtenBytes: number): void {
    this.#behind.add(connection);
    this.#bytes += writtenBytes;
    this.#addOfUser(connection.uid, writtenBytes);
  }

  /** Nobody who is behind may get more. */
  get full(): boolean {
    if (this.#behind.size === 0) return false;
    this.#count();
    return this.#bytes >= this.#deps.bytesMax();
  }

  /** Whether more is to be read for this user. When there is no room, it is made. */
  hasRoom(uid: number): boolean {
    if (this.#behind.size === 0) return true;
    this.#count();
    const max = this.#deps.bytesMax();
    const own = this.#ofUsers.get(uid) ?? 0;
    if (own >= max * USER_PART) return false;
    const limit = own === 0 ? max : max * BEHIND_PART;
    if (this.#bytes >= limit && !this.#triedToMakeRoom) {
      this.#triedToMakeRoom = true;
      this.#makeRoom(limit);
    }
    return this.#bytes < limit;
  }

  #count(): void {
    const now = this.#deps.clock.moment();
    if (this.#countedAt !== null && msBetween(this.#countedAt, now) < COUNT_MS) return;
    this.#countedAt = now;
    this.#triedToMakeRoom = false;
    this.#bytes = 0;
    this.#ofUsers = new Map();
    for (const connection of this.#behind) {
      const { uid, unsentBytes } = connection;
      if (unsentBytes === 0) this.#behind.delete(connection);
      this.#bytes += unsentBytes;
      this.#addOfUser(uid, unsentBytes);
    }
    if (this.#bytes < this.#deps.bytesMax() * BEHIND_PART) this.#sample = null;
  }

  #addOfUser(uid: number | null, bytes: number): void {
    if (uid !== null) this.#ofUsers.set(uid, (this.#ofUsers.get(uid) ?? 0) + bytes);
  }

  #makeRoom(max: number): void {
    const now = this.#deps.clock.moment();
    const still = [...this.#behind].map((connection) => ({ connection, ms: connection.stoodStillMs(now) }));
    still.sort((a, b) => b.ms - a.ms);
    for (const { connection, ms } of still) {
      if (ms < STILL_MS || this.#bytes < max) break;
      this.#giveUp(connection);
    }
    if (this.#bytes >= max) this.#giveUpSlow(max, now);
  }

  #giveUpSlow(max: number, now: Moment): void {
    this.#sample ??= {
      at: now,
      of: new Map(
        [...this.#behind].map((each) => [each, { taken: each.takenBytes, unsent: each.unsentBytes }]),
      ),
    };
    if (msBetween(this.#sample.at, now) < SLOW_MS) return;
    const slow: { connection: BehindConnection; taken: number }[] = [];
    for (const [connection, before] of this.#sample.of) {
      const taken = connection.takenBytes - before.taken;
      if (this.#behind.has(connection) && taken < Math.min(SLOW_BYTES, before.unsent))
        slow.push({ connection, taken });
    }
    this.#sample = null;
    slow.sort((a, b) => a.taken - b.taken);
    for (const { connection } of slow) {
      if (this.#bytes < max) return;
      this.#giveUp(connection);
    }
  }

  #giveUp(connection: BehindConnection): void {
    this.#behind.delete(connection);
    this.#bytes -= connection.unsentBytes;
    connection.giveUp();
  }
}
