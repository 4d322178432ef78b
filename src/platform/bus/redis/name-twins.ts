/**
 * Notices another node that has our name. One that is heard for a short while only was ours a moment ago: processes whose
 * master was killed outlive it by some seconds.
 */
import { type Clock, type Moment, msBetween } from '../../../shared/base/clock.js';
import { type BusIdentity, type NodeIdentity, nodeOf } from '../bus-identity.js';

/** So long it must have been heard, without a pause as long as that. */
export const TWIN_AFTER_MS = 15_000;
/** Nodes of our name that are watched at a time; one is enough to warn. */
const WATCHED_MAX = 16;

export class NameTwins {
  readonly #own: NodeIdentity;
  readonly #clock: Pick<Clock, 'moment'>;
  readonly #heard = new Map<string, { readonly since: Moment; last: Moment }>();
  #told = false;

  constructor(own: BusIdentity, clock: Pick<Clock, 'moment'>) {
    this.#own = nodeOf(own);
    this.#clock = clock;
  }

  /** True once: the sender is of another node that has been there under our name for a while. */
  heard(sender: BusIdentity): boolean {
    if (this.#told) return false;
    const { name, run } = nodeOf(sender);
    if (name !== this.#own.name || run === this.#own.run) return false;
    const now = this.#clock.moment();
    const known = this.#heard.get(run);
    if (known === undefined || msBetween(known.last, now) > TWIN_AFTER_MS) {
      if (known === undefined && this.#heard.size >= WATCHED_MAX) this.#heard.clear();
      this.#heard.set(run, { since: now, last: now });
      return false;
    }
    known.last = now;
    this.#told = msBetween(known.since, now) >= TWIN_AFTER_MS;
    return this.#told;
  }
}
