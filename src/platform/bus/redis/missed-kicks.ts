/**
 * The kicks of the last hour, those of other processes too: one that was cut off when a kick was made, and kept the user's
 * connections, is told of it when it is back. All tell that know of it: whoever asked for the kick may have died a moment ago.
 * Whoever knows a kick already passes over it, by its id. Bounded: the oldest go first.
 */
import { type Clock, type Moment, msBetween } from '../../../shared/base/clock.js';
import type { Questions } from '../../../shared/protocol/questions.js';
import { FORGET_AFTER_MS } from './members.js';

export const KICKS_MAX = 20_000;
/** An absence may have begun this long before it was noticed: kicks of that time are told too. */
const UNNOTICED_MS = 10_000;

type Kick = Questions['kick']['args'];

interface Made {
  readonly id: string;
  readonly kick: Kick;
  /** Identity of the process that asked for it. */
  readonly asker: string;
  readonly at: Moment;
}

export class MissedKicks {
  readonly #clock: Pick<Clock, 'moment'>;
  readonly #byId = new Map<string, Made>();

  constructor(clock: Pick<Clock, 'moment'>) {
    this.#clock = clock;
  }

  /** False when it was known. */
  heard(id: string, asker: string, kick: Kick): boolean {
    if (this.#byId.has(id)) return false;
    this.#byId.set(id, { id, kick, asker, at: this.#clock.moment() });
    const [oldest] = this.#byId.keys();
    if (this.#byId.size > KICKS_MAX && oldest !== undefined) this.#byId.delete(oldest);
    return true;
  }

  /**
   * Kicks since `moment`, marked `late`.
   *
   * @param asker only those that this process asked for; null: all
   */
  since(moment: Moment, asker: string | null): { readonly id: string; readonly args: Kick }[] {
    const now = this.#clock.moment();
    return [...this.#byId.values()]
      .filter(({ at }) => msBetween(moment, at) >= -UNNOTICED_MS && msBetween(at, now) < FORGET_AFTER_MS)
      .filter((made) => asker === null || made.asker === asker)
      .map(({ id, kick }) => ({ id, args: { ...kick, late: true } }));
  }
}
