import { type Clock, type Moment, momentOf } from '../../src/shared/base/clock.js';

/** A clock that stands still until it is told; its two readings have nothing in common, as in life. */
export class FakeClock implements Clock {
  #now: number;
  #momentMs = 1_000_000.25;

  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  /** Whole milliseconds, as of the real one; moments have fractions. */
  now(): number {
    return Math.floor(this.#now);
  }

  moment(): Moment {
    return momentOf(this.#momentMs);
  }

  /** Time passes. */
  advance(ms: number): void {
    this.#now += ms;
    this.#momentMs += ms;
  }

  /** Somebody sets the wall clock, forward or back; no time passes. */
  step(ms: number): void {
    this.#now += ms;
  }
}

/** By what a test sets the wall clock: an hour back, as after a wrong summer time, and five minutes forward. */
export const CLOCK_STEPS_MS = [-3_600_000, 300_000] as const;
