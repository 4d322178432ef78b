/**
 * Ends the process when a task never gives the loop back: no timer runs then, no signal is raised, nothing of this process
 * would notice. A thread of its own looks once a second at the moment by which every running task has ended or been given
 * up, and kills the process when that has passed.
 */
import type { Worker } from 'node:worker_threads';
import { systemClock } from '../platform/clock/system-clock.js';
import { startProgramThread } from '../platform/program/program-thread.js';
import { momentMs } from '../shared/base/clock.js';

/** Beyond the end of what the runner does by itself. */
const MARGIN_MS = 2000;
const NOT_RUNNING = 0n;

export interface WatchdogData {
  /** One BigInt64: the moment, in whole ms, by which the loop must have moved on; 0: nothing runs. */
  readonly shared: SharedArrayBuffer;
  readonly pid: number;
}

export class Watchdog {
  readonly #shared = new SharedArrayBuffer(8);
  readonly #moment = new BigInt64Array(this.#shared);
  readonly #running = new Set<{ readonly endBy: bigint }>();
  readonly #thread: Worker;

  constructor() {
    const workerData: WatchdogData = { shared: this.#shared, pid: process.pid };
    this.#thread = startProgramThread('watchdog-thread', { name: 'spush-watchdog', workerData });
    this.#thread.unref();
  }

  /** Answers what to call when the task has ended. */
  watch(endsWithinMs: number): () => void {
    const entry = {
      endBy: BigInt(Math.ceil(momentMs(systemClock.moment()) + endsWithinMs + MARGIN_MS)),
    };
    this.#running.add(entry);
    this.#publish();
    return () => {
      this.#running.delete(entry);
      this.#publish();
    };
  }

  async close(): Promise<void> {
    await this.#thread.terminate();
  }

  /** The earliest moment; there are few tasks at a time. */
  #publish(): void {
    let earliest = NOT_RUNNING;
    for (const { endBy } of this.#running) if (earliest === NOT_RUNNING || endBy < earliest) earliest = endBy;
    Atomics.store(this.#moment, 0, earliest);
  }
}
