/**
 * Standard output or error as a place for lines that nobody waits for. A terminal that was stopped with Ctrl-S, a pipe or
 * a journal that nobody reads must not stop a server, as a plain write to it would: lines wait here, up to a limit, and
 * are left out beyond it. A reader that has gone (EPIPE) costs lines too, and nothing else.
 */
import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { errorText } from '../../shared/base/errors.js';
import type { Troubles } from '../health/troubles.js';

/** Lines waiting for a reader; more are left out. */
export const WAITING_BYTES_MAX = 1_048_576;
const TRY_EVERY_MS = 100;
/** Tries in a row after which it is told that nobody reads: five seconds. */
const TRIES_UNTOLD = 50;

const NOBODY_READS = 'nobody reads the standard output (a terminal stopped with Ctrl-S, a pipe, the journal)';

export interface ConsoleStreamOptions {
  /** Of standard output or error. */
  readonly fd: number;
  /** Makes Node take care of the descriptor: it does not block any more where it is a pipe or a socket. */
  readonly unblock: () => void;
  /** Null: nobody is told. */
  readonly troubles: Pick<Troubles, 'begin' | 'end'> | null;
}

/** Of this process. */
export function consoleStream(
  name: 'stdout' | 'stderr',
  troubles: ConsoleStreamOptions['troubles'],
): ConsoleStream {
  return new ConsoleStream({
    fd: name === 'stdout' ? 1 : 2,
    // Reading the property makes the stream, which sets O_NONBLOCK.
    unblock: () => void process[name].writable,
    troubles,
  });
}

export class ConsoleStream {
  readonly #fd: number;
  readonly #troubles: ConsoleStreamOptions['troubles'];
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #timer: NodeJS.Timeout | null = null;
  /** Tries in a row that found it full. */
  #tries = 0;

  constructor(options: ConsoleStreamOptions) {
    this.#troubles = options.troubles;
    this.#fd = unblocked(options);
  }

  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#waitingBytes + bytes.length > WAITING_BYTES_MAX) {
      this.#troubles?.begin('console', `${NOBODY_READS}: lines are left out, the log file has them`);
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#timer === null) this.#flush();
  }

  #flush(): void {
    this.#timer = null;
    try {
      for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
        const written = writeSync(this.#fd, next);
        this.#waitingBytes -= written;
        if (written === next.length) this.#waiting.shift();
        else this.#waiting[0] = next.subarray(written);
      }
      this.#tries = 0;
      this.#troubles?.end('console');
    } catch (error) {
      if (isFull(error)) {
        this.#tries += 1;
        if (this.#tries === TRIES_UNTOLD) {
          this.#troubles?.begin('console', `${NOBODY_READS}: lines wait here, the log file has them`, 0);
        }
        this.#timer = setTimeout(() => this.#flush(), TRY_EVERY_MS);
        this.#timer.unref();
        return;
      }
      const lines = this.#waiting.length;
      this.#waiting = [];
      this.#waitingBytes = 0;
      const text = `the standard output cannot be written (${errorText(error)}): lines are left out, the log file has them`;
      this.#troubles?.begin('console', text, lines);
    }
  }
}

/**
 * A descriptor whose writes do not wait. O_NONBLOCK belongs to the open file, which other programs share, so the file is
 * opened once more where that is possible: a terminal, a pipe. A socket (the journal's) cannot be; there Node sets the flag.
 * What is written to a file waits for nobody, and a second opening would have a position of its own.
 */
function unblocked({ fd, unblock }: ConsoleStreamOptions): number {
  try {
    if (fstatSync(fd).isFile()) return fd;
    return openSync(
      `/proc/self/fd/${fd}`,
      constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY | constants.O_APPEND,
    );
  } catch {
    unblock();
    return fd;
  }
}

function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN';
}
