/**
 * Numbers for the makers of message ids: no two living children have the same. They go round, so that a number rests
 * before it is used again, and begin at a random place, so that children of a master that was killed a moment ago, still
 * finishing their work, hardly ever share one with ours.
 */
import { assert } from '../../shared/base/assert.js';
import { GENERATOR_MAX } from '../../shared/domain/message-id.js';

const COUNT = GENERATOR_MAX + 1;

export class Generators {
  readonly #taken = new Set<number>();
  #last: number;

  /** @param random 0 … 1, as Math.random */
  constructor(random: () => number) {
    this.#last = Math.floor(random() * COUNT);
  }

  take(): number {
    assert(this.#taken.size < COUNT, `all ${COUNT} generator numbers are taken`);
    do this.#last = (this.#last + 1) % COUNT;
    while (this.#taken.has(this.#last));
    this.#taken.add(this.#last);
    return this.#last;
  }

  giveBack(generator: number): void {
    this.#taken.delete(generator);
  }
}
