/**
 * `Data/{mode}.nonces`: the nonces that this node knows, for the next master. Each is in the file (as far as the kernel: a
 * process that is killed loses none) before its call is answered. Lines are added until the file is much longer than what
 * is still known, then it is written anew.
 *
 *     spush-nonces 1 BOOT_ID FORGOTTEN       latest time of those that are not known any more, Unix seconds
 *     MOMENT_MS TIMESTAMP DIGEST             the machine's counter, and the time of the call, Unix seconds
 *
 * A file that cannot be written keeps no call from being made: nonces then hold as long as this master lives, which is a
 * trouble. Lines that make no sense, such as one that was cut off, are passed over.
 */
import { constants, readFileSync } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Paths } from '../../platform/config/config-schema.js';
import type { Troubles } from '../../platform/health/troubles.js';
import { PRIVATE_FILE_MODE, replaceFile } from '../../platform/instance/atomic-files.js';
import { type Clock, type Moment, momentMs, momentOf, msSince } from '../../shared/base/clock.js';
import { errorText } from '../../shared/base/errors.js';
import type { KeptNonce, NonceBook } from './nonce-book.js';

/** Lines above twice those that are known. */
const LINES_SPARE = 20_000;
/** A disk that hangs holds a call up for this long, no longer. */
const PATIENCE_MS = 1000;
/** After a failure. */
export const TRY_AGAIN_MS = 5000;
/** How often it is looked whether the file is still there. */
const LOOK_MS = 2000;
/** A line has 50 bytes, and there are no more than a few million. */
const BYTES_MAX = 512 * 1024 * 1024;
const UNKNOWN_BOOT = '-';

export function nonceFile({ data }: Pick<Paths, 'data'>, mode: string): string {
  return join(data, `${mode}.nonces`);
}

export interface NonceFileDeps {
  readonly book: NonceBook;
  readonly troubles: Pick<Troubles, 'begin' | 'end'>;
  readonly clock: Pick<Clock, 'moment'>;
}

export class NonceFile {
  readonly #file: string;
  readonly #deps: NonceFileDeps;
  readonly #bootId = bootId();
  #handle: FileHandle | null = null;
  #lines = 0;
  #waiting: { readonly line: string; readonly done: () => void }[] = [];
  #isWriting = false;
  /** Some that are in the book were not written: the next writing is of all. */
  #lacks = false;
  #failedAt: Moment | null = null;
  #lookedAt: Moment;

  constructor(file: string, deps: NonceFileDeps) {
    this.#file = file;
    this.#deps = deps;
    this.#lookedAt = deps.clock.moment();
  }

  /** What the master before knew is in the book. Never rejects: a file that cannot be read is a trouble. */
  async load(): Promise<void> {
    try {
      const { nonces, forgotten } = parse(
        await readText(this.#file),
        this.#bootId,
        this.#deps.clock.moment(),
      );
      this.#deps.book.remember(nonces, forgotten);
    } catch (error) {
      this.#failed(`${this.#file} cannot be read: ${errorText(error)}. Calls of before could be repeated`);
      this.#failedAt = null;
    }
  }

  /** Resolves when it is in the file, or when that cannot be. */
  keep(nonce: KeptNonce): Promise<void> {
    const { clock } = this.#deps;
    if (this.#failedAt !== null && msSince(clock, this.#failedAt) < TRY_AGAIN_MS) {
      this.#lacks = true;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#failed(`${this.#file} is not written within ${PATIENCE_MS} ms`);
        resolve();
      }, PATIENCE_MS);
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.#waiting.push({ line: lineOf(nonce), done });
      if (!this.#isWriting) void this.#write();
    });
  }

  async close(): Promise<void> {
    await this.#closeHandle();
  }

  /** One writing at a time; what comes meanwhile shares the next one. */
  async #write(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        await this.#put(batch.map(({ line }) => line));
        this.#failedAt = null;
        // Others came while this one hung: they are written before it is said that all is well.
        if (this.#lacks) await this.#writeAnew();
        this.#deps.troubles.end('nonces');
      } catch (error) {
        await this.#closeHandle();
        this.#failed(`${this.#file} cannot be written: ${errorText(error)}`);
      }
      for (const { done } of batch) done();
    }
    this.#isWriting = false;
  }

  async #put(lines: readonly string[]): Promise<void> {
    if (
      this.#handle === null ||
      this.#lacks ||
      this.#lines > 2 * this.#deps.book.size + LINES_SPARE ||
      (await this.#isGone())
    )
      await this.#writeAnew();
    else {
      await this.#handle.appendFile(lines.join(''));
      this.#lines += lines.length;
    }
  }

  /** With all that is in the book, that is also with what waits to be written. */
  async #writeAnew(): Promise<void> {
    const { book } = this.#deps;
    await this.#closeHandle();
    this.#lacks = false;
    const lines = [...book.all()].map(lineOf);
    await replaceFile(this.#file, `spush-nonces 1 ${this.#bootId} ${book.forgotten}\n${lines.join('')}`);
    this.#handle = await open(this.#file, 'a', PRIVATE_FILE_MODE);
    this.#lines = lines.length;
  }

  /** Somebody has deleted or moved it: what is written to it reaches nobody. */
  async #isGone(): Promise<boolean> {
    const { clock } = this.#deps;
    if (this.#handle === null || msSince(clock, this.#lookedAt) < LOOK_MS) return false;
    this.#lookedAt = clock.moment();
    const [named, ours] = await Promise.all([stat(this.#file).catch(() => null), this.#handle.stat()]);
    return named === null || named.ino !== ours.ino || named.dev !== ours.dev;
  }

  async #closeHandle(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    // What it could still say was said by the writing that failed.
    await handle?.close().catch(() => {});
  }

  #failed(what: string): void {
    this.#failedAt = this.#deps.clock.moment();
    this.#deps.troubles.begin(
      'nonces',
      `${what}. After a restart of the server signed calls could be repeated`,
    );
  }
}

function lineOf({ digest, at, timestamp }: KeptNonce): string {
  return `${momentMs(at).toFixed(0)} ${timestamp} ${digest}\n`;
}

/** Empty when there is none. */
async function readText(file: string): Promise<string> {
  let handle: FileHandle;
  try {
    // O_NONBLOCK: opening a FIFO of this name would otherwise wait until another process writes to it.
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
  try {
    const stats = await handle.stat();
    if (!stats.isFile() || stats.size > BYTES_MAX) throw new Error('it is no plain file of ours');
    return await handle.readFile('latin1');
  } finally {
    await handle.close();
  }
}

/** After a start of the machine its counter began anew: what is in the file counts as claimed now. */
function parse(text: string, bootId: string, now: Moment): { nonces: KeptNonce[]; forgotten: number } {
  const [head = '', ...lines] = text.split('\n');
  const [, boot = '', forgotten = '0'] = /^spush-nonces 1 (\S+) (\d{1,12})$/.exec(head) ?? [];
  const nonces: KeptNonce[] = [];
  for (const line of lines) {
    const [, moment, timestamp, digest] = /^(\d{1,15}) (\d{1,12}) ([\w-]{22})$/.exec(line) ?? [];
    if (moment === undefined || timestamp === undefined || digest === undefined) continue;
    const claimed = Math.min(Number(moment), momentMs(now));
    nonces.push({
      digest,
      at: boot === bootId && boot !== UNKNOWN_BOOT ? momentOf(claimed) : now,
      timestamp: Number(timestamp),
    });
  }
  return { nonces, forgotten: Number(forgotten) };
}

/** Where the kernel does not tell, every start counts as one of the machine. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim() || UNKNOWN_BOOT;
  } catch {
    return UNKNOWN_BOOT;
  }
}
