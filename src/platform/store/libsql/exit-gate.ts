/**
 * Lets the process end while its store thread is at work.
 *
 * process.exit() terminates threads wherever they are, and the binding aborts the whole process when that happens inside
 * it: an exit code becomes a SIGABRT. So at exit the process asks the thread to stop before its next statement and
 * waits, for a moment, until it has. What was not committed is not there afterwards, as with any other death.
 */

/** Longer than a commit takes on a slow disk; after it the exit goes on anyway. */
const EXIT_WAIT_MS = 1_000;

/** Words of the shared memory. */
const ASKED = 0;
const STATE = 1;

const IDLE = 0;
const WORKING = 1;
const STOPPED = 2;

export class ExitGate {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;

  /** Without a buffer a new one, of a thread that is about to start: until it says otherwise it is at work. */
  constructor(buffer?: SharedArrayBuffer) {
    this.buffer = buffer ?? new SharedArrayBuffer(8);
    this.#words = new Int32Array(this.buffer);
    if (buffer === undefined) Atomics.store(this.#words, STATE, WORKING);
  }

  /** The process, about to exit: stops the thread. Once stopped it stays so. */
  stopThread(): void {
    Atomics.store(this.#words, ASKED, 1);
    Atomics.wait(this.#words, STATE, WORKING, EXIT_WAIT_MS);
  }

  /** The thread begins to use the binding. */
  enter(): void {
    Atomics.store(this.#words, STATE, WORKING);
    this.pass();
  }

  /** The thread is between two statements: here it stops when it is asked to. */
  pass(): void {
    if (Atomics.load(this.#words, ASKED) === 0) return;
    Atomics.store(this.#words, STATE, STOPPED);
    Atomics.notify(this.#words, STATE);
    Atomics.wait(this.#words, STATE, STOPPED);
  }

  /** The thread does not use the binding until it enters again. */
  leave(): void {
    Atomics.store(this.#words, STATE, IDLE);
    Atomics.notify(this.#words, STATE);
  }
}
