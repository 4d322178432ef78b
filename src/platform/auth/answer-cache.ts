/**
 * Keeps good answers for a short while, so that a storm of reconnects does not become a storm on the main site. Keys are
 * kept as digests. When it is full, the oldest answer goes; all live equally long, so the oldest would be the next to go anyway.
 */
import { type Clock, type Moment, msSince } from '../../shared/base/clock.js';

export interface AnswerCacheOptions {
  readonly keepMs: number;
  readonly entriesMax: number;
  readonly clock: Pick<Clock, 'moment'>;
}

interface Entry {
  readonly uid: number;
  readonly keptAt: Moment;
}

export class AnswerCache {
  readonly #options: AnswerCacheOptions;
  /** Oldest first. */
  readonly #entries = new Map<string, Entry>();
  readonly #digestsOf = new Map<number, Set<string>>();

  constructor(options: AnswerCacheOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(digest: string): number | null {
    const entry = this.#entries.get(digest);
    return entry !== undefined && !this.#isOld(entry) ? entry.uid : null;
  }

  set(digest: string, uid: number): void {
    const { keepMs, entriesMax, clock } = this.#options;
    if (keepMs <= 0) return;
    this.#delete(digest);
    this.#entries.set(digest, { uid, keptAt: clock.moment() });
    const digests = this.#digestsOf.get(uid) ?? new Set();
    this.#digestsOf.set(uid, digests.add(digest));
    this.#dropOld(entriesMax);
  }

  forget(uid: number): void {
    for (const digest of this.#digestsOf.get(uid) ?? []) this.#delete(digest);
  }

  #dropOld(entriesMax: number): void {
    for (const [digest, entry] of this.#entries) {
      if (!this.#isOld(entry) && this.#entries.size <= entriesMax) return;
      this.#delete(digest);
    }
  }

  #isOld({ keptAt }: Entry): boolean {
    return msSince(this.#options.clock, keptAt) >= this.#options.keepMs;
  }

  #delete(digest: string): void {
    const entry = this.#entries.get(digest);
    if (entry === undefined) return;
    this.#entries.delete(digest);
    const digests = this.#digestsOf.get(entry.uid);
    digests?.delete(digest);
    if (digests?.size === 0) this.#digestsOf.delete(entry.uid);
  }
}
