/**
 * Frames of all connections in turns: a connection on which many come at once has a few of them looked at, and the rest when
 * everybody else has been, in short pieces between which the loop does what else there is.
 */
import { type Clock, msSince } from '../../shared/base/clock.js';

/** Frames of one connection that are looked at as soon as they come, in one turn of the loop; each KiB counts as one more. */
export const AT_ONCE_MAX = 16;
/** The rest of all connections, in one turn of the loop. */
const PIECE_MS = 5;

export interface FrameTaker {
  /** Looks at the next frame; false when there is none, or it has to wait for something else. */
  takeNext(): boolean;
}

export class FrameTurns {
  readonly #clock: Pick<Clock, 'moment'>;
  readonly #waiting = new Set<FrameTaker>();
  /** How much was looked at since the last turn. */
  #atOnce = new Map<FrameTaker, number>();
  #due = false;

  constructor(clock: Pick<Clock, 'moment'>) {
    this.#clock = clock;
  }

  /** Whether a frame of so many bytes may be looked at now; else `wait`. */
  mayTake(taker: FrameTaker, bytes: number): boolean {
    const taken = this.#atOnce.get(taker) ?? 0;
    if (taken >= AT_ONCE_MAX) return false;
    this.#atOnce.set(taker, taken + 1 + Math.floor(bytes / 1024));
    this.#soon();
    return true;
  }

  /** Its next frames are taken in its turns. */
  wait(taker: FrameTaker): void {
    this.#waiting.add(taker);
    this.#soon();
  }

  #soon(): void {
    if (this.#due) return;
    this.#due = true;
    setImmediate(() => {
      this.#due = false;
      this.#atOnce = new Map();
      this.#piece();
      if (this.#waiting.size > 0) this.#soon();
    });
  }

  #piece(): void {
    const begun = this.#clock.moment();
    // Who is added again comes last.
    for (const taker of this.#waiting) {
      this.#waiting.delete(taker);
      if (taker.takeNext()) this.#waiting.add(taker);
      if (msSince(this.#clock, begun) >= PIECE_MS) return;
    }
  }
}
