/**
 * Stops asking somebody who does not answer: after so many failures in a row nobody asks for a while, then one call
 * tries, and its outcome decides.
 *
 *   closed --failures in a row--> open --time is up, next call--> probing --success--> closed
 *                                   ^------------failure-------------'
 */
import { type Clock, type Moment, msSince } from '../../shared/base/clock.js';
import type { BreakerState } from './user-verifier.js';

export interface BreakerOptions {
  readonly failures: number;
  readonly openMs: number;
  readonly clock: Pick<Clock, 'moment'>;
  readonly onChange: (state: BreakerState) => void;
}

export class Breaker {
  readonly #options: BreakerOptions;
  #state: BreakerState = 'closed';
  #failures = 0;
  /** When it opened last; null: never. */
  #openedAt: Moment | null = null;
  /** Calls begun in an earlier state have no say in this one. */
  #epoch = 0;

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  /** True when a call would be let through now. */
  get passable(): boolean {
    if (this.#state !== 'open') return this.#state === 'closed';
    const { clock, openMs } = this.#options;
    return this.#openedAt === null || msSince(clock, this.#openedAt) >= openMs;
  }

  /** Null when it may not be run now. A throw counts as a failure. */
  async run<T>(work: () => Promise<T>, isFailure: (result: T) => boolean): Promise<T | null> {
    if (!this.passable) return null;
    if (this.#state === 'open') this.#change('probing');
    const epoch = this.#epoch;
    let failed = true;
    try {
      const result = await work();
      failed = isFailure(result);
      return result;
    } finally {
      if (epoch === this.#epoch) this.#settle(failed);
    }
  }

  #settle(failed: boolean): void {
    if (!failed) {
      this.#failures = 0;
      if (this.#state === 'probing') this.#change('closed');
      return;
    }
    this.#failures += 1;
    if (this.#state === 'probing' || this.#failures >= this.#options.failures) {
      this.#failures = 0;
      this.#openedAt = this.#options.clock.moment();
      this.#change('open');
    }
  }

  #change(state: BreakerState): void {
    this.#state = state;
    this.#epoch += 1;
    this.#options.onChange(state);
  }
}
