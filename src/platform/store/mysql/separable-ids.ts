/**
 * Ids that get out of each other's way. Processes of several nodes choose their generator numbers without asking each other,
 * so two may have the same one; the tables refuse the second of two equal ids. From then on this process uses another
 * number, still rising from its last id. See docs/decisions/0012-store-of-several-nodes.md.
 */
import type { Clock } from '../../../shared/base/clock.js';
import {
  createMessageIdSource,
  GENERATOR_MAX,
  type MessageIdSource,
} from '../../../shared/domain/message-id.js';

export class SeparableIds implements MessageIdSource {
  #source: MessageIdSource;
  #highest = 0n;
  readonly #clock: Clock;
  readonly #random: () => number;

  /** @param random 0 … 1, as Math.random */
  constructor(source: MessageIdSource, clock: Clock, random: () => number) {
    this.#source = source;
    this.#clock = clock;
    this.#random = random;
  }

  next(): bigint {
    const id = this.#source.next();
    this.#highest = id;
    return id;
  }

  raiseTo(id: bigint): void {
    this.#source.raiseTo(id);
    if (id > this.#highest) this.#highest = id;
  }

  /** Goes on with another generator number. */
  separate(): void {
    this.#source = createMessageIdSource(Math.floor(this.#random() * (GENERATOR_MAX + 1)), this.#clock);
    this.#source.raiseTo(this.#highest);
  }
}
