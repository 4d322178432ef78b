/**
 * How many connections were opened in a second here, at most: what this process has shown that it can do. Clients that are
 * sent away together come back spread over a time that fits it.
 */
import { type Clock, type Moment, msSince } from '../../shared/base/clock.js';

/** Taken for granted before anything was measured. */
export const HANDSHAKES_PER_SECOND_MIN = 200;
/** Nobody is kept away for longer than this. */
export const RETRY_SECONDS_MAX = 300;
const SECOND_MS = 1000;

export class HandshakeMeter {
  readonly #clock: Pick<Clock, 'moment'>;
  readonly #random: () => number;
  /** When the running second began: with a connection; null: none has been opened yet. */
  #begunAt: Moment | null = null;
  #opened = 0;
  #most = HANDSHAKES_PER_SECOND_MIN;

  /** @param random 0 … 1, as Math.random */
  constructor(clock: Pick<Clock, 'moment'>, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  /** The most that were opened in one second. */
  get perSecond(): number {
    return this.#most;
  }

  opened(): void {
    if (this.#begunAt === null || msSince(this.#clock, this.#begunAt) >= SECOND_MS) {
      this.#begunAt = this.#clock.moment();
      this.#opened = 0;
    }
    this.#opened += 1;
    if (this.#opened > this.#most) this.#most = this.#opened;
  }

  /** Seconds until each of `clients` that are sent away together may come back. */
  retrySpread(clients: number): () => number {
    const window = Math.min(RETRY_SECONDS_MAX, Math.max(1, Math.ceil(clients / this.#most)));
    return () => 1 + Math.floor(this.#random() * window);
  }
}
