/**
 * How many connections may be on their way at once. Each of them waits for those before it, so there are few as long as it
 * takes long: one at first (the other side does all this for the first time), one more after each that was fast, half as
 * many after one that was slow. Who comes when it is full waits for his turn.
 */
import { type Clock, type Moment, msBetween } from '../../shared/base/clock.js';

export interface WindowOptions {
  readonly max: number;
  /** One that is on its way for longer is slow. */
  readonly slowMs: number;
  readonly clock: Pick<Clock, 'moment'>;
}

export class Window {
  readonly #options: WindowOptions;
  readonly #waiting: (() => void)[] = [];
  #emptied: (() => void)[] = [];
  #size = 1;
  #inside = 0;
  /** One that entered before this has no say: the window was larger then. Null: it was never narrowed. */
  #narrowedAt: Moment | null = null;

  constructor(options: WindowOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#size;
  }

  /** Resolves with what is to be called once when done. */
  async enter(): Promise<() => void> {
    if (this.#inside >= this.#size) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#inside += 1;
    const { clock } = this.#options;
    const enteredAt = clock.moment();
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#fit(enteredAt, clock.moment());
      this.#leave();
    };
  }

  /** Resolves when nobody is inside. */
  empty(): Promise<void> {
    if (this.#inside === 0) return Promise.resolve();
    return new Promise((resolve) => this.#emptied.push(resolve));
  }

  #fit(enteredAt: Moment, now: Moment): void {
    const { max, slowMs } = this.#options;
    if (msBetween(enteredAt, now) <= slowMs) {
      this.#size = Math.min(max, this.#size + 1);
    } else if (this.#narrowedAt === null || msBetween(this.#narrowedAt, enteredAt) > 0) {
      this.#size = Math.max(1, this.#size >> 1);
      this.#narrowedAt = now;
    }
  }

  #leave(): void {
    this.#inside -= 1;
    while (this.#inside < this.#size) {
      const next = this.#waiting.shift();
      if (!next) break;
      this.#inside += 1;
      next();
    }
    if (this.#inside > 0) return;
    for (const tell of this.#emptied.splice(0)) tell();
  }
}
