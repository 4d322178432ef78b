/**
 * Publishes many events no faster than the bus takes them, and in short pieces of work: all at once would be more than may
 * be unsent, so that every process would have to look into the store, and would keep this one from everything else.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Clock, msSince } from '../../shared/base/clock.js';
import { itemsWeight } from '../../shared/domain/item-weight.js';
import type { BusEvent } from '../../shared/protocol/bus-events.js';
import type { Bus } from './bus.js';

export interface Pace {
  /** What a piece may hold before it is to be taken; characters are about bytes. */
  readonly events: number;
  readonly chars: number;
  /** How long the bus is waited for: for all pieces together, or for each where it must take them. */
  readonly waitMs: number;
  /** Whether the work fails with a bus that does not take a piece; otherwise it goes on, and waits no more. */
  readonly mustBeTaken: boolean;
}

/** For a caller that waits for the answer. */
const FOR_A_CALL: Pace = { events: 500, chars: 256 * 1024, waitMs: 2000, mustBeTaken: false };

export class PacedNews {
  readonly #bus: Pick<Bus, 'publish' | 'probe'>;
  readonly #clock: Pick<Clock, 'moment'>;
  readonly #pace: Pace;
  #events = 0;
  #chars = 0;
  /** Null: the bus is not waited for any more. It drops what it cannot keep, and makes that good itself. */
  #waitMs: number | null;

  constructor(bus: Pick<Bus, 'publish' | 'probe'>, clock: Pick<Clock, 'moment'>, pace = FOR_A_CALL) {
    this.#bus = bus;
    this.#clock = clock;
    this.#pace = pace;
    this.#waitMs = pace.waitMs;
  }

  publish(event: BusEvent): void {
    this.#bus.publish(event);
    this.#events += 1;
    if (event.t === 'push') this.#chars += itemsWeight(event.items);
    else if (event.t === 'notice') this.#chars += itemsWeight([event.item]);
  }

  /** A piece is full: nothing more is to be published before `taken`. */
  get isFull(): boolean {
    return this.#events >= this.#pace.events || this.#chars >= this.#pace.chars;
  }

  /** Rejects only where the pieces must be taken. */
  async taken(): Promise<void> {
    this.#events = 0;
    this.#chars = 0;
    if (this.#pace.mustBeTaken) await this.#bus.probe({ deadlineMs: this.#pace.waitMs });
    else if (this.#waitMs === null) await nextTurn();
    else this.#waitMs = await this.#leftAfter(this.#waitMs);
  }

  async #leftAfter(waitMs: number): Promise<number | null> {
    const begun = this.#clock.moment();
    try {
      await this.#bus.probe({ deadlineMs: waitMs });
      const left = waitMs - msSince(this.#clock, begun);
      return left > 0 ? left : null;
    } catch {
      // Of whatever kind: what is published is stored, and this says nothing but that the bus is not to be waited for.
      return null;
    }
  }
}
