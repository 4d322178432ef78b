/**
 * Publishes many events no faster than the bus takes them, and in short pieces of work: all at once would be more than may
 * be unsent, so that every process would have to look into the store, and would keep this one from everything else.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Clock, msSince } from '../../shared/base/clock.js';
import { itemsWeight } from '../../shared/domain/item-weight.js';
import type { BusEvent } from '../../shared/protocol/bus-events.js';
import type { Bus } from './bus.js';

const PIECE_EVENTS = 500;
/** Characters, about bytes. */
const PIECE_CHARS = 256 * 1024;
/** In all: a caller waits for the bus no longer. */
const WAIT_MS_MAX = 2000;

export class PacedNews {
  readonly #bus: Pick<Bus, 'publish' | 'probe'>;
  #events = 0;
  #chars = 0;
  /** Null: the bus is not waited for any more. It drops what it cannot keep, and makes that good itself. */
  #waitMs: number | null = WAIT_MS_MAX;
  readonly #clock: Pick<Clock, 'moment'>;

  constructor(bus: Pick<Bus, 'publish' | 'probe'>, clock: Pick<Clock, 'moment'>) {
    this.#bus = bus;
    this.#clock = clock;
  }

  publish(event: BusEvent): void {
    this.#bus.publish(event);
    this.#events += 1;
    if (event.t === 'push') this.#chars += itemsWeight(event.items);
    else if (event.t === 'notice') this.#chars += itemsWeight([event.item]);
  }

  /** A piece is full: nothing more is to be published before `taken`. */
  get isFull(): boolean {
    return this.#events >= PIECE_EVENTS || this.#chars >= PIECE_CHARS;
  }

  /** Never rejects. */
  async taken(): Promise<void> {
    this.#events = 0;
    this.#chars = 0;
    if (this.#waitMs === null) {
      await nextTurn();
      return;
    }
    const begun = this.#clock.moment();
    try {
      await this.#bus.probe({ deadlineMs: this.#waitMs });
      const left = this.#waitMs - msSince(this.#clock, begun);
      this.#waitMs = left > 0 ? left : null;
    } catch {
      // Of whatever kind: what is published is stored, and this says nothing but that the bus is not to be waited for.
      this.#waitMs = null;
    }
  }
}
