/**
 * Runs tasks: looks each up by its name, checks what it is asked, and gives it a signal that is raised at its deadline. The
 * caller hears of the deadline then; a task that does not heed the signal counts as running until it really ends. When it
 * has not ended some seconds after the signal, nothing but the end of its process can end it: the other tasks of the
 * process are failed with that reason, and `onStuck` is told.
 */
import type { z } from 'zod';
import type { Log } from '../platform/log/log.js';
import { type Clock, msSince } from '../shared/base/clock.js';
import { errorText, isSpushError, SpushError } from '../shared/base/errors.js';
import { nearestOf } from '../shared/base/nearest.js';

/** Before the process ends, tasks that have not ended by themselves are told to. */
const ABORT_BEFORE_END_MS = 1000;
/** What a task gets to end after its signal. */
export const STUCK_AFTER_MS = 5000;

export interface TaskContext {
  /** Raised at the deadline, or when the process has to end. */
  readonly signal: AbortSignal;
}

export interface Task {
  readonly name: string;
  /** Throws SpushError BAD_REQUEST when the arguments do not fit. */
  run(args: unknown, context: TaskContext): Promise<unknown>;
}

/** A task with typed arguments. */
export function defineTask<S extends z.ZodType>(
  name: string,
  argsSchema: S,
  run: (args: z.output<S>, context: TaskContext) => Promise<unknown>,
): Task {
  return {
    name,
    async run(args, context) {
      const parsed = argsSchema.safeParse(args);
      if (parsed.success) return run(parsed.data, context);
      const faults = parsed.error.issues.map(
        ({ path, message }) => `${path.join('.') || 'args'}: ${message}`,
      );
      throw new SpushError(
        'BAD_REQUEST',
        `task ${name} cannot be run with these arguments: ${faults.join('; ')}`,
      );
    },
  };
}

export interface RunRequest {
  readonly name: string;
  readonly args: unknown;
  readonly deadlineMs: number;
}

export interface RunnerOptions {
  readonly clock: Pick<Clock, 'moment'>;
  readonly log: Log;
  /** A task cannot be ended, so the process has to; the callers of all its tasks have been answered. */
  readonly onStuck: (reason: string) => void;
  /** Told when a task begins: within this time it has ended, or `onStuck` was called. Answers what to call at its end. */
  readonly watch?: (endsWithinMs: number) => () => void;
}

interface Run {
  readonly name: string;
  readonly abort: AbortController;
  readonly ended: Promise<void>;
}

export class TaskRunner {
  readonly #tasks: ReadonlyMap<string, Task>;
  readonly #options: RunnerOptions;
  readonly #runs = new Set<Run>();
  #done = 0;
  #failed = 0;
  #closed = false;

  constructor(tasks: readonly Task[], options: RunnerOptions) {
    this.#tasks = new Map(tasks.map((task) => [task.name, task]));
    this.#options = options;
  }

  /** What has passed its deadline counts as failed when it ends, whatever it answers then. */
  get counts(): { tasksRunning: number; tasksDone: number; tasksFailed: number } {
    return { tasksRunning: this.#runs.size, tasksDone: this.#done, tasksFailed: this.#failed };
  }

  /** Resolves with the task's result; throws TASK_UNKNOWN, TASK_TIMEOUT, TASK_FAILED, or the task's own SpushError. */
  async run({ name, args, deadlineMs }: RunRequest): Promise<unknown> {
    if (this.#closed)
      throw new SpushError('SHUTTING_DOWN', `task ${name} is not started: its TaskWorker stops`);
    const task = this.#tasks.get(name);
    if (!task) {
      throw new SpushError(
        'TASK_UNKNOWN',
        `there is no task "${name}".${nearestOf(name, this.#tasks.keys(), 'tasks')}`,
      );
    }
    const abort = new AbortController();
    const timer = setTimeout(() => {
      abort.abort(new SpushError('TASK_TIMEOUT', `task ${name} did not end within ${deadlineMs} ms`));
    }, deadlineMs);
    const unwatch = this.#options.watch?.(deadlineMs + STUCK_AFTER_MS);
    const result = this.#runToEnd(task, args, abort).finally(unwatch);
    try {
      return await Promise.race([result, rejectionOf(abort.signal)]);
    } catch (error) {
      throw isSpushError(error)
        ? error
        : new SpushError('TASK_FAILED', `task ${name} failed: ${errorText(error)}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  /** No new tasks; resolves when the running ones have ended. */
  async close(options: { deadlineMs: number; waiting(what: string): void }): Promise<void> {
    this.#closed = true;
    if (this.#runs.size === 0) return;
    const names = [...this.#runs].map(({ name }) => name).join(', ');
    options.waiting(`${this.#runs.size} running tasks: ${names}`);
    const abortAll = setTimeout(
      () => {
        for (const { name, abort } of this.#runs) {
          abort.abort(new SpushError('SHUTTING_DOWN', `task ${name} was broken off: its TaskWorker stops`));
        }
      },
      Math.max(0, options.deadlineMs - ABORT_BEFORE_END_MS),
    );
    await Promise.all([...this.#runs].map(({ ended }) => ended));
    clearTimeout(abortAll);
  }

  /** Counts the run until it has really ended, whoever still waits for it. */
  async #runToEnd(task: Task, args: unknown, abort: AbortController): Promise<unknown> {
    let onEnded: () => void = () => {};
    const ended = new Promise<void>((resolve) => {
      onEnded = resolve;
    });
    const run: Run = { name: task.name, abort, ended };
    this.#runs.add(run);
    const stopWaiting = this.#onceStuck(run);
    const { clock } = this.#options;
    const startedAt = clock.moment();
    try {
      const result = await task.run(args, { signal: abort.signal });
      if (abort.signal.aborted) this.#failed += 1;
      else this.#done += 1;
      return result;
    } catch (error) {
      this.#failed += 1;
      this.#logFailure(task.name, error, Math.round(msSince(clock, startedAt)));
      throw error;
    } finally {
      stopWaiting();
      this.#runs.delete(run);
      onEnded();
    }
  }

  /** From the signal on the run has some seconds; answers how to stop the waiting. */
  #onceStuck(run: Run): () => void {
    const { signal } = run.abort;
    let timer: NodeJS.Timeout | undefined;
    const onAbort = (): void => {
      timer = setTimeout(() => this.#giveUp(run), STUCK_AFTER_MS);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    return () => {
      signal.removeEventListener('abort', onAbort);
      clearTimeout(timer);
    };
  }

  #giveUp(stuck: Run): void {
    this.#closed = true;
    const reason = `task ${stuck.name} did not end within ${STUCK_AFTER_MS / 1000} s of its signal, so its TaskWorker ends`;
    const others = [...this.#runs].filter((run) => run !== stuck && !run.abort.signal.aborted);
    for (const { name, abort } of others) {
      abort.abort(new SpushError('TASK_FAILED', `task ${name} was broken off: ${reason}`));
    }
    this.#failed += this.#runs.size;
    this.#options.log.error('task.stuck', { task: stuck.name, brokenOff: others.length });
    this.#options.onStuck(reason);
  }

  #logFailure(task: string, error: unknown, durationMs: number): void {
    const { log } = this.#options;
    const fields = { task, error: errorText(error), durationMs };
    if (isSpushError(error)) log.warn('task.failed', fields);
    else log.error('task.failed', { ...fields, stack: error instanceof Error ? error.stack : undefined });
  }
}

function rejectionOf(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
