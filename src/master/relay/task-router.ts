/**
 * Brings each task to the TaskWorker that has the fewest running; when all are full, or none is there for the moment, it
 * waits in a bounded queue, in order. The deadline counts from the call, waiting included.
 */

import type { Peer } from '../../platform/rpc/peer.js';
import { type Clock, msSince } from '../../shared/base/clock.js';
import { isSpushError, SpushError } from '../../shared/base/errors.js';
import type { ToChild, ToMaster } from '../../shared/protocol/ipc.js';

/** Tasks that may wait for a free TaskWorker; above it callers get TASK_BUSY. */
export const TASKS_WAITING_MAX = 10_000;
/** A TaskWorker cancels at the deadline and says so itself; after this much more it is not waited for. */
const ANSWER_MARGIN_MS = 1000;

export interface TaskRunner {
  readonly name: string;
  readonly peer: Pick<Peer<ToMaster, ToChild>, 'call'>;
}

type Run = ToMaster['calls']['task.run'];

interface Waiting {
  readonly name: string;
  readonly start: (runner: TaskRunner) => void;
  readonly refuse: (error: SpushError) => void;
}

export class TaskRouter {
  /** Running tasks of each TaskWorker that takes tasks. */
  readonly #running = new Map<TaskRunner, number>();
  readonly #waiting = new Set<Waiting>();
  readonly #runningMax: () => number;
  readonly #clock: Pick<Clock, 'moment'>;
  #closed = false;

  constructor(runningMax: () => number, clock: Pick<Clock, 'moment'>) {
    this.#runningMax = runningMax;
    this.#clock = clock;
  }

  /** Tasks that wait for a TaskWorker. */
  get queued(): number {
    return this.#waiting.size;
  }

  attach(runner: TaskRunner): void {
    this.#running.set(runner, 0);
    this.#next();
  }

  detach(runner: TaskRunner): void {
    this.#running.delete(runner);
  }

  runningOf(runner: TaskRunner): number {
    return this.#running.get(runner) ?? 0;
  }

  async run({ name, args, deadlineMs }: Run['args']): Promise<Run['result']> {
    const calledAt = this.#clock.moment();
    const runner = this.#take() ?? (await this.#wait(name, deadlineMs));
    const leftMs = Math.max(1, Math.round(deadlineMs - msSince(this.#clock, calledAt)));
    try {
      return await runner.peer.call(
        'task.run',
        { name, args, deadlineMs: leftMs },
        { deadlineMs: leftMs + ANSWER_MARGIN_MS },
      );
    } catch (error) {
      if (!isSpushError(error, 'RPC_TIMEOUT')) throw error;
      throw new SpushError(
        'TASK_TIMEOUT',
        `${runner.name} did not end task ${name} within ${deadlineMs} ms`,
        {
          cause: error,
        },
      );
    } finally {
      this.#count(runner, -1);
      this.#next();
    }
  }

  /** The node stops: what waits is refused, what runs goes on. */
  close(): void {
    this.#closed = true;
    for (const waiting of this.#waiting) {
      waiting.refuse(
        new SpushError('SHUTTING_DOWN', `task ${waiting.name} was not started: the server stops`),
      );
    }
  }

  #wait(name: string, deadlineMs: number): Promise<TaskRunner> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new SpushError('SHUTTING_DOWN', `task ${name} is not started: the server stops`));
        return;
      }
      if (this.#waiting.size >= TASKS_WAITING_MAX) {
        reject(
          new SpushError(
            'TASK_BUSY',
            `${TASKS_WAITING_MAX} tasks are waiting already; task ${name} is refused`,
          ),
        );
        return;
      }
      const settle = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(waiting);
      };
      const waiting: Waiting = {
        name,
        start: (runner) => {
          settle();
          resolve(runner);
        },
        refuse: (error) => {
          settle();
          reject(error);
        },
      };
      const timer = setTimeout(() => {
        waiting.refuse(
          new SpushError('TASK_TIMEOUT', `no TaskWorker was free for task ${name} within ${deadlineMs} ms`),
        );
      }, deadlineMs);
      this.#waiting.add(waiting);
    });
  }

  #next(): void {
    for (const waiting of this.#waiting) {
      const runner = this.#take();
      if (!runner) return;
      waiting.start(runner);
    }
  }

  /** The least busy TaskWorker, one task busier from now on; null when all are full. */
  #take(): TaskRunner | null {
    if (this.#closed) return null;
    let least: TaskRunner | null = null;
    let leastRunning = this.#runningMax();
    for (const [runner, running] of this.#running) {
      if (running < leastRunning) {
        least = runner;
        leastRunning = running;
      }
    }
    if (least) this.#count(least, 1);
    return least;
  }

  #count(runner: TaskRunner, change: number): void {
    const running = this.#running.get(runner);
    if (running !== undefined) this.#running.set(runner, running + change);
  }
}
