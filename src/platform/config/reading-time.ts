/** The time that the files of a configuration have to be read: all of them together, and as long for a reload as for a start. */
import { type Moment, msBetween, msLater } from '../../shared/base/clock.js';
import { systemClock } from '../clock/system-clock.js';

/** A file that waits for something at its top level, or loops, gets no more; then it is faulty, and nobody waits for it. */
export const READING_MS = 10_000;

export class ReadingTime {
  readonly ms: number;
  readonly #end: Moment;
  /** A file was not read in time: those behind it would be called faulty for it. */
  isUp = false;

  constructor(ms = READING_MS) {
    this.ms = ms;
    this.#end = msLater(systemClock.moment(), ms);
  }

  /** A whole number, at least 1, as timers and node:vm take it. */
  get leftMs(): number {
    return Math.max(1, Math.ceil(msBetween(systemClock.moment(), this.#end)));
  }
}
