/** What a process publishes for itself, given in a turn of its own, so that no publisher is called back in the middle of it. */
import type { BusEvent } from '../../shared/protocol/bus-events.js';

export class OwnEvents {
  readonly #give: (event: BusEvent) => void;
  #waiting: BusEvent[] = [];

  constructor(give: (event: BusEvent) => void) {
    this.#give = give;
  }

  put(event: BusEvent): void {
    this.#waiting.push(event);
    if (this.#waiting.length > 1) return;
    queueMicrotask(() => {
      const events = this.#waiting;
      this.#waiting = [];
      for (const own of events) this.#give(own);
    });
  }
}
