/**
 * What all connections of this Worker have unsent together, bounded. Who is behind gets no more live copies while it is too much,
 * pages of messages are not read, and those who have stood still longest are given up. Who takes what he is sent notices
 * nothing.
 */
import { type Clock, type Moment, msBetween } from '../../shared/base/clock.js';

export interface BehindConnection {
  /** Null: nobody's. */
  readonly uid: number | null;
  readonly unsentBytes: number;
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
/** Who moves is not given up, however slowly. */
const STILL_MS = 2_000;

export class Backlog {
  readonly #deps: BacklogDeps;
  readonly #behind = new Set<BehindConnection>();
  #bytes = 0;
  #ofUsers = new Map<number, number>();
  #countedAt: Moment | null = null;
  /** Since the last count: it looks at everybody. */
  #triedToMakeRoom = false;

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
    if ((this.#ofUsers.get(uid) ?? 0) >= max * USER_PART) return false;
    if (this.#bytes >= max && !this.#triedToMakeRoom) {
      this.#triedToMakeRoom = true;
      this.#makeRoom(max);
    }
    return this.#bytes < max;
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
  }

  #addOfUser(uid: number | null, bytes: number): void {
    if (uid !== null) this.#ofUsers.set(uid, (this.#ofUsers.get(uid) ?? 0) + bytes);
  }

  #makeRoom(max: number): void {
    const now = this.#deps.clock.moment();
    const still = [...this.#behind].map((connection) => ({ connection, ms: connection.stoodStillMs(now) }));
    still.sort((a, b) => b.ms - a.ms);
    for (const { connection, ms } of still) {
      if (ms < STILL_MS || this.#bytes < max) return;
      this.#behind.delete(connection);
      this.#bytes -= connection.unsentBytes;
      connection.giveUp();
    }
  }
}
