/**
 * Waits for somebody's word, so long and no longer. Time is counted in short steps: when this process was suspended itself,
 * one step has passed and not an hour, and the words that wait in its channels are heard before anybody is blamed.
 */
const STEP_MS = 250;

export class Patience {
  readonly #steps: number;
  readonly #onOver: () => void;
  #left = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(limitMs: number, onOver: () => void) {
    // One more: the first step may have begun before the wait did.
    this.#steps = Math.ceil(limitMs / STEP_MS) + 1;
    this.#onOver = onOver;
  }

  /** Something is owed from now on; what was owed already is not owed any longer for that. */
  begin(): void {
    if (!this.#timer) this.renew();
  }

  /** A word was heard: the wait for the next begins. */
  renew(): void {
    this.#left = this.#steps;
    this.#timer ??= setInterval(() => this.#step(), STEP_MS);
  }

  /** Nothing is owed. */
  rest(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
  }

  #step(): void {
    this.#left -= 1;
    if (this.#left > 0) return;
    this.rest();
    this.#onOver();
  }
}
