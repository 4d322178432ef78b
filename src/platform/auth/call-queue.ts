/**
 * Lets so many calls run at a time, which can change while it works; the others wait in order. The line is bounded in length and in time:
 * who comes when it is full, or has waited too long, is turned away.
 */
import { type Clock, type Moment, msBetween, msLater } from '../../shared/base/clock.js';
import { SpushError } from '../../shared/base/errors.js';

export interface CallQueueOptions {
  /** Asked anew for each call; what runs already is not stopped. */
  readonly concurrency: () => number;
  readonly waitingMax: number;
  readonly waitMsMax: number;
  readonly clock: Pick<Clock, 'moment'>;
  readonly onTurnedAway: () => void;
}

interface Waiter {
  readonly enter: () => void;
  readonly turnAway: (error: SpushError) => void;
  readonly until: Moment;
}

export class CallQueue {
  readonly #options: CallQueueOptions;
  /** In order of arrival, so the first is also the first to have waited too long. */
  readonly #waiting = new Set<Waiter>();
  #running = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: CallQueueOptions) {
    this.#options = options;
  }

  /** Throws GZCP_UNAVAILABLE when the line is full or does not move. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#options.concurrency()) await this.#wait();
    else this.#running += 1;
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  #wait(): Promise<void> {
    const { waitingMax, waitMsMax, clock } = this.#options;
    if (this.#waiting.size >= waitingMax) {
      throw this.#turnedAway(`${waitingMax} logins wait for the main site already`);
    }
    return new Promise((resolve, reject) => {
      this.#waiting.add({ enter: resolve, turnAway: reject, until: msLater(clock.moment(), waitMsMax) });
      this.#watchFirst();
    });
  }

  /** The place goes to the first who waits; when there are more places than before, to the next ones too. */
  #leave(): void {
    this.#running -= 1;
    const most = this.#options.concurrency();
    for (const waiter of this.#waiting) {
      if (this.#running >= most) return;
      this.#running += 1;
      this.#waiting.delete(waiter);
      waiter.enter();
    }
  }

  /** One timer, for the first in the line. */
  #watchFirst(): void {
    const [first] = this.#waiting;
    if (this.#timer !== null || first === undefined) return;
    const waitMs = Math.max(1, Math.ceil(msBetween(this.#options.clock.moment(), first.until)));
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#turnAwayLate();
      this.#watchFirst();
    }, waitMs);
    this.#timer.unref();
  }

  #turnAwayLate(): void {
    const now = this.#options.clock.moment();
    for (const waiter of this.#waiting) {
      if (msBetween(now, waiter.until) > 0) return;
      this.#waiting.delete(waiter);
      const seconds = this.#options.waitMsMax / 1000;
      waiter.turnAway(this.#turnedAway(`the main site could not be asked within ${seconds} s`));
    }
  }

  #turnedAway(text: string): SpushError {
    this.#options.onTurnedAway();
    return new SpushError('GZCP_UNAVAILABLE', text);
  }
}
