/**
 * The changes of one process in the order they were called: what comes while a group is being committed is the next group.
 *
 * Reads wait for the changes called before them, so that a read never misses what its process asked for earlier. When the
 * server is found unreachable, everything that waits fails at once: each would only find the same, one deadline later.
 */
import { setImmediate } from 'node:timers';
import { isSpushError, type SpushError } from '../../../shared/base/errors.js';
import type { Log } from '../../log/log.js';
import type { AcceptContext } from './accept.js';
import { type Change, type ChangeAnswer, type ChangeArgs, type ChangeName, performAll } from './changes.js';
import type { GroupCommit } from './group-commit.js';
import { faultOf, isOfOneCall, isUnreachable, storeFull } from './mysql-faults.js';

/** Calls not answered yet, in one process: some seconds of work; more would only grow old in memory. */
export const WAITING_CALLS_MAX = 20_000;
/** The same in bytes. A call is let in while less than this waits, so that one huge batch always fits. */
export const WAITING_BYTES_MAX = 64 * 1024 * 1024;
/** What a group holds at most, unless it is one call: some 50 ms of locks on the server. */
export const GROUP_ROWS_MAX = 2_000;
export const GROUP_BYTES_MAX = 4 * 1024 * 1024;

interface Weight {
  readonly rows: number;
  readonly bytes: number;
}

interface Waiting extends Change, Weight {
  readonly resolve: (answer: ChangeAnswer<ChangeName>) => void;
  readonly reject: (fault: SpushError) => void;
}

export interface WriteQueueOptions {
  readonly commit: GroupCommit;
  readonly context: AcceptContext;
  readonly log: Log;
  /** So many calls were answered together. */
  readonly onGroup?: (calls: number) => void;
}

export class WriteQueue {
  readonly #options: WriteQueueOptions;
  #waiting: Waiting[] = [];
  #waitingCalls = 0;
  #waitingBytes = 0;
  #running: Promise<void> | null = null;
  /** Resolves when the call made last is answered, with what it failed for. */
  #last: Promise<SpushError | null> = Promise.resolve(null);
  #unavailable = false;

  constructor(options: WriteQueueOptions) {
    this.#options = options;
  }

  call<N extends ChangeName>(
    name: N,
    args: ChangeArgs<N>,
    { rows, bytes }: Weight,
  ): Promise<ChangeAnswer<N>> {
    if (this.#waitingCalls >= WAITING_CALLS_MAX || this.#waitingBytes >= WAITING_BYTES_MAX)
      return Promise.reject(storeFull(this.#options.context.place, this.#waitingCalls, this.#waitingBytes));
    this.#waitingCalls += 1;
    this.#waitingBytes += bytes;
    const answer = new Promise<ChangeAnswer<N>>((resolve, reject) => {
      // performAll answers a change of this name with a value of its type.
      this.#waiting.push({
        name,
        args,
        rows,
        bytes,
        resolve: (value) => resolve(value as ChangeAnswer<N>),
        reject,
      });
    });
    this.#last = answer.then(
      () => null,
      (fault: SpushError) => fault,
    );
    this.#running ??= this.#work();
    return answer;
  }

  /** Resolves when everything called so far is answered; rejects when the server was not reachable for it. */
  async settled(): Promise<void> {
    if (this.#waitingCalls === 0) return;
    const fault = await this.#last;
    if (fault !== null && isUnreachable(fault)) throw fault;
  }

  /** The same, whatever became of it. */
  async idle(): Promise<void> {
    await this.#last;
  }

  async #work(): Promise<void> {
    // What is called in one turn of the loop goes together.
    await new Promise((resolve) => setImmediate(resolve));
    for (let group = this.#next(); group.length > 0; group = this.#next()) await this.#commit(group);
    this.#running = null;
  }

  #next(): Waiting[] {
    let rows = 0;
    let bytes = 0;
    let taken = 0;
    for (const call of this.#waiting) {
      rows += call.rows;
      bytes += call.bytes;
      if (taken > 0 && (rows > GROUP_ROWS_MAX || bytes > GROUP_BYTES_MAX)) break;
      taken += 1;
    }
    return this.#waiting.splice(0, taken);
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    const { commit, context } = this.#options;
    try {
      const answers = await commit.run((session) => performAll(session, group, context));
      this.#available();
      this.#options.onGroup?.(group.length);
      for (const [index, call] of group.entries()) this.#answer(call, answers[index] ?? null);
    } catch (error) {
      const fault = isSpushError(error) ? error : faultOf(context.place, error);
      if (isUnreachable(fault)) {
        for (const call of [...group, ...this.#waiting.splice(0)]) this.#fail(call, fault);
      } else if (group.length > 1 && isOfOneCall(fault)) {
        // One that cannot be kept must not take the others with it.
        for (const call of group) await this.#commit([call]);
      } else {
        for (const call of group) this.#fail(call, fault);
      }
    }
  }

  #answer(call: Waiting, answer: ChangeAnswer<ChangeName>): void {
    this.#waitingCalls -= 1;
    this.#waitingBytes -= call.bytes;
    call.resolve(answer);
  }

  #fail(call: Waiting, fault: SpushError): void {
    const { log } = this.#options;
    this.#waitingCalls -= 1;
    this.#waitingBytes -= call.bytes;
    if (fault.code === 'INTERNAL') {
      log.error('store.call_failed', { call: call.name, reason: fault.message });
    } else if (!this.#unavailable) {
      this.#unavailable = true;
      log.error('store.unavailable', { reason: fault.message });
    }
    call.reject(fault);
  }

  #available(): void {
    if (!this.#unavailable) return;
    this.#unavailable = false;
    this.#options.log.info('store.available');
  }
}
