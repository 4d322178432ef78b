/** Work that must not meet itself: a second one is refused while the first is under way, and told what that is. */
import { SpushError } from '../../shared/base/errors.js';

export class OneAtATime {
  #running: string | null = null;

  get isRunning(): boolean {
    return this.#running !== null;
  }

  async run<T>(what: string, work: () => Promise<T>): Promise<T> {
    if (this.#running !== null) {
      throw new SpushError(
        'RELOAD_RUNNING',
        `${what} has to wait: ${this.#running} is under way; try again when it is done`,
      );
    }
    this.#running = what;
    try {
      return await work();
    } finally {
      this.#running = null;
    }
  }
}
