/**
 * The process's end of the store thread: queues calls, counts what waits, starts the thread anew when it ended.
 *
 * The thread is none, opening, running or ending, and none again. A thread that retires has not begun what it has not
 * answered: that goes to the next thread. A thread that dies takes with it what it was given: those calls fail.
 */
import { setImmediate } from 'node:timers';
import type { Moment } from '../../../shared/base/clock.js';
import { errorText, SpushError } from '../../../shared/base/errors.js';
import { systemClock } from '../../clock/system-clock.js';
import type { Log } from '../../log/log.js';
import type { Weight } from '../call-weight.js';
import {
  type Answer,
  type AnswerOf,
  type ArgsOf,
  type Call,
  type CallName,
  type Failure,
  type FromThread,
  type ToThread,
  WRITES,
} from './store-calls.js';

/** Calls not answered yet, in one process: some seconds of work; more would only grow old in memory. */
export const WAITING_CALLS_MAX = 20_000;
/** The same in bytes. A call is let in while less than this waits, so that one huge batch always fits. */
export const WAITING_BYTES_MAX = 64 * 1024 * 1024;

/** Arguments, or steps that end with them and leave the loop to others in between. */
export type Outgoing<N extends CallName> =
  | { readonly args: ArgsOf<N> }
  | { readonly steps: Generator<void, ArgsOf<N>> };

interface Waiting extends Weight {
  readonly seq: number;
  readonly name: CallName;
  readonly calledAt: Moment;
  outgoing: Outgoing<CallName>;
  /** A thread retired with it: once is the end of a fault, twice is a fault. */
  retried: boolean;
  readonly resolve: (value: AnswerOf<CallName>) => void;
  readonly reject: (error: unknown) => void;
}

/** What the link needs of a worker_threads.Worker. */
export interface StoreWorker {
  postMessage(message: ToThread): void;
  on(event: 'message', listener: (message: FromThread) => void): unknown;
  on(event: 'error' | 'messageerror', listener: (error: Error) => void): unknown;
  on(event: 'exit', listener: () => void): unknown;
}

interface Thread {
  readonly worker: StoreWorker;
  /** Why it ends, when it said so. */
  ending: { readonly refused: SpushError } | { readonly retired: string } | null;
  died: unknown;
}

export interface ThreadLinkOptions {
  readonly file: string;
  readonly log: Log;
  /** Starts a thread; `create`: a file that is not there may be made. */
  readonly start: (create: boolean) => StoreWorker;
  /** The file is open; this is the highest message id in it. */
  readonly onOpened: (highest: bigint) => void;
  /** So many calls were answered together: those among them that change something shared a commit. */
  readonly onGroup?: (calls: number) => void;
}

export class ThreadLink {
  readonly #options: ThreadLinkOptions;
  #thread: Thread | null = null;
  /** Not given to a thread yet, in order. */
  #outbox: Waiting[] = [];
  /** Given and not answered, in order. */
  readonly #given = new Map<number, Waiting>();
  #waitingBytes = 0;
  #seq = 0;
  #flushIsDue = false;
  #closed: Promise<void> | null = null;
  /** Resolves when nothing waits, for close. */
  #onIdle: (() => void) | null = null;
  #onEnded: (() => void) | null = null;
  #unavailable = false;

  constructor(options: ThreadLinkOptions) {
    this.#options = options;
  }

  /** Starts the first thread; rejects when the file cannot be opened. */
  open({ create }: { readonly create: boolean }): Promise<void> {
    return new Promise((resolve, reject) => this.#start(create, { resolve, reject }));
  }

  call<N extends CallName>(name: N, outgoing: Outgoing<N>, weight: Weight): Promise<AnswerOf<N>> {
    if (this.#closed !== null) return Promise.reject(this.#error('is closed'));
    const waitingCalls = this.#outbox.length + this.#given.size;
    if (waitingCalls >= WAITING_CALLS_MAX || this.#waitingBytes >= WAITING_BYTES_MAX)
      return Promise.reject(
        new SpushError(
          'STORE_BUSY',
          `the store ${this.#options.file} has ${waitingCalls} calls of ${this.#waitingBytes} bytes waiting; try again in a few seconds`,
        ),
      );
    return new Promise((resolve, reject) => {
      this.#waitingBytes += weight.bytes;
      this.#seq += 1;
      this.#outbox.push({
        seq: this.#seq,
        name,
        calledAt: systemClock.moment(),
        rows: weight.rows,
        bytes: weight.bytes,
        outgoing,
        retried: false,
        // The thread answers a call of this name with a value of its type.
        resolve: (value) => resolve(value as AnswerOf<N>),
        reject,
      });
      this.#flushSoon();
    });
  }

  close(): Promise<void> {
    this.#closed ??= this.#finish();
    return this.#closed;
  }

  async #finish(): Promise<void> {
    if (this.#outbox.length + this.#given.size > 0)
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    const thread = this.#thread;
    if (thread === null) return;
    const ended = new Promise<void>((resolve) => {
      this.#onEnded = resolve;
    });
    thread.worker.postMessage({ type: 'close' });
    await ended;
  }

  /** Once per turn of the loop: what was called in one turn crosses in one message. */
  #flushSoon(): void {
    if (this.#flushIsDue) return;
    this.#flushIsDue = true;
    setImmediate(() => {
      this.#flushIsDue = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#outbox.length === 0) return;
    this.#thread ??= this.#start(false, null);
    if (this.#thread.ending !== null) return;
    const calls: Call[] = [];
    let taken = 0;
    for (const waiting of this.#outbox) {
      const args = this.#argsOf(waiting);
      if (args === 'later') {
        this.#flushSoon();
        break;
      }
      taken += 1;
      if (args === 'refused') continue;
      const { seq, name, rows, bytes, calledAt } = waiting;
      this.#given.set(seq, waiting);
      calls.push({ seq, name, args: args.args, rows, bytes, calledAt });
    }
    this.#outbox = this.#outbox.slice(taken);
    if (calls.length > 0) this.#thread.worker.postMessage({ type: 'calls', calls });
    this.#tellIdle();
  }

  /** One step of a call's encoding. */
  #argsOf(waiting: Waiting): { readonly args: ArgsOf<CallName> } | 'later' | 'refused' {
    if ('args' in waiting.outgoing) return waiting.outgoing;
    try {
      const step = waiting.outgoing.steps.next();
      if (!step.done) return 'later';
      waiting.outgoing = { args: step.value };
      return waiting.outgoing;
    } catch (error) {
      this.#waitingBytes -= waiting.bytes;
      waiting.reject(error);
      return 'refused';
    }
  }

  #start(create: boolean, first: { resolve(): void; reject(error: SpushError): void } | null): Thread {
    const thread: Thread = { worker: this.#options.start(create), ending: null, died: null };
    this.#thread = thread;
    let onOpened = first;
    thread.worker.on('message', (message: FromThread) => {
      switch (message.type) {
        case 'opened':
          this.#options.onOpened(message.highest);
          this.#options.log.info('store.opened', { file: this.#options.file });
          onOpened?.resolve();
          onOpened = null;
          break;
        case 'answers':
          this.#options.onGroup?.(message.answers.length);
          for (const answer of message.answers) this.#settle(answer);
          this.#tellIdle();
          break;
        case 'retired':
          thread.ending = { retired: message.reason };
          this.#options.log.warn('store.reopening', { file: this.#options.file, reason: message.reason });
          break;
        case 'refused':
          thread.ending = { refused: errorOf(message.failure) };
          break;
      }
    });
    thread.worker.on('error', (error) => {
      thread.died = error;
    });
    thread.worker.on('messageerror', (error) => {
      thread.died = error;
      // Not terminated: the binding aborts the process when its thread is (see exit-gate.ts).
      thread.worker.postMessage({ type: 'close' });
    });
    thread.worker.on('exit', () => {
      this.#thread = null;
      onOpened?.reject(this.#ended(thread));
      this.#afterEnd(thread);
    });
    return thread;
  }

  #afterEnd(thread: Thread): void {
    const given = [...this.#given.values()];
    this.#given.clear();
    if (thread.ending !== null && 'retired' in thread.ending) {
      const again = given.filter((waiting) => !waiting.retried);
      for (const waiting of given.filter((each) => each.retried)) this.#fail(waiting, this.#ended(thread));
      for (const waiting of again) waiting.retried = true;
      this.#outbox = [...again, ...this.#outbox];
    } else {
      const error = this.#ended(thread);
      for (const waiting of given) this.#fail(waiting, error);
      // A file that cannot be opened now cannot be opened for those behind either.
      if (thread.ending !== null) for (const waiting of this.#outbox.splice(0)) this.#fail(waiting, error);
    }
    if (this.#outbox.length > 0) this.#flushSoon();
    this.#tellIdle();
    this.#onEnded?.();
  }

  /** What callers are told when their thread ended before it answered. */
  #ended(thread: Thread): SpushError {
    if (thread.ending === null)
      return this.#error(
        `lost its thread (${thread.died === null ? 'it ended' : errorText(thread.died)}); it is started again`,
        thread.died,
      );
    return 'refused' in thread.ending
      ? thread.ending.refused
      : this.#error(`could not be opened anew (${thread.ending.retired})`);
  }

  #settle(answer: Answer): void {
    const waiting = this.#given.get(answer.seq);
    if (waiting === undefined) return;
    this.#given.delete(answer.seq);
    if (!answer.ok) {
      this.#fail(waiting, errorOf(answer.failure));
      return;
    }
    this.#waitingBytes -= waiting.bytes;
    if (this.#unavailable && WRITES[waiting.name]) {
      this.#unavailable = false;
      this.#options.log.info('store.available', { file: this.#options.file });
    }
    waiting.resolve(answer.value);
  }

  #fail(waiting: Waiting, error: SpushError): void {
    this.#waitingBytes -= waiting.bytes;
    const { log, file } = this.#options;
    if (error.code === 'INTERNAL') {
      log.error('store.call_failed', { file, call: waiting.name, reason: error.message });
    } else if (!this.#unavailable) {
      this.#unavailable = true;
      log.error('store.unavailable', { file, reason: error.message });
    }
    waiting.reject(error);
  }

  #tellIdle(): void {
    if (this.#outbox.length + this.#given.size === 0) this.#onIdle?.();
  }

  #error(text: string, cause?: unknown): SpushError {
    return new SpushError('STORE_UNAVAILABLE', `the store ${this.#options.file} ${text}`, { cause });
  }
}

function errorOf({ code, text }: Failure): SpushError {
  return new SpushError(code, text);
}
