/**
 * Regular upkeep that is not a job: it has no name and no rule, and cannot be stopped or run by hand. It runs every ten
 * minutes; the first time at a random moment of the first minute, so that nodes started together do not all run it at once.
 */
import type { Log } from '../platform/log/log.js';
import { errorText } from '../shared/base/errors.js';

export const HOUSEKEEPING_EVERY_MS = 600_000;
export const HOUSEKEEPING_FIRST_WITHIN_MS = 60_000;

export interface HousekeepingDeps {
  readonly work: () => Promise<unknown>;
  /** 0 … 1, as Math.random */
  readonly random: () => number;
  readonly log: Log;
}

export class Housekeeping {
  readonly #deps: HousekeepingDeps;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(deps: HousekeepingDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#in(this.#deps.random() * HOUSEKEEPING_FIRST_WITHIN_MS);
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
  }

  #in(ms: number): void {
    this.#timer = setTimeout(async () => {
      try {
        await this.#deps.work();
      } catch (error) {
        this.#deps.log.error('housekeeping.failed', { error: errorText(error) });
      }
      if (!this.#stopped) this.#in(HOUSEKEEPING_EVERY_MS);
    }, ms);
  }
}
