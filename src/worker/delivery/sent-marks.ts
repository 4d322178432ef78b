/**
 * "Written to a socket" is told to the store in batches: many messages, few commits. What is lost here by a crash is only
 * sent again.
 */

import type { Log } from '../../platform/log/log.js';
import type { MessageStore, SentMark } from '../../platform/store/message-store.js';
import type { Clock } from '../../shared/base/clock.js';
import { errorText } from '../../shared/base/errors.js';

/** How long marks gather. */
const GATHER_MS = 100;
/** Marks in one call. */
const BATCH_MAX = 5000;
/** Marks that may wait while the store is away; above it the oldest are forgotten, and their messages sent again. */
const WAITING_MAX = 500_000;

export class SentMarks {
  readonly #store: Pick<MessageStore, 'markSent'>;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #log: Log;
  #waiting: SentMark[] = [];
  #flushing: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(deps: { store: Pick<MessageStore, 'markSent'>; clock: Pick<Clock, 'now'>; log: Log }) {
    this.#store = deps.store;
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  add(mark: SentMark): void {
    this.#waiting.push(mark);
    if (this.#waiting.length > WAITING_MAX) this.#waiting = this.#waiting.slice(WAITING_MAX / 2);
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      void this.flush();
    }, GATHER_MS);
  }

  /** Resolves when everything added before is written, or the store refused it. */
  async flush(): Promise<void> {
    while (this.#flushing) await this.#flushing;
    if (this.#waiting.length === 0) return;
    this.#flushing = this.#writeAll();
    try {
      await this.#flushing;
    } finally {
      this.#flushing = null;
    }
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH_MAX);
      try {
        await this.#store.markSent(batch, this.#clock.now());
      } catch (error) {
        this.#log.warn('delivery.sent-marks-lost', { marks: batch.length, error: errorText(error) });
        return;
      }
    }
  }
}
