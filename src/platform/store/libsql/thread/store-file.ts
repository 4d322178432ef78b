/**
 * Which file the connection holds open, and whether it still is the one at its path.
 *
 * An open file stays writable after it was deleted, moved or replaced: whatever is committed to it then is lost in silence.
 * So the path's identity (device and inode, of the database and its two companions) is compared before and after every
 * commit. Only `stat` is used: opening and closing the file here would drop SQLite's locks on it.
 */
import { type BigIntStats, closeSync, openSync, statSync } from 'node:fs';
import type { SpushError } from '../../../../shared/base/errors.js';
import {
  faultOf,
  storeEmpty,
  storeLogLost,
  storeMissing,
  storeNoFile,
  storeReplaced,
  storeUnreachable,
} from './store-faults.js';

/** Two processes opening and closing at once may show one companion without the other for a moment. */
const COMPANION_TRIES = 20;
const COMPANION_WAIT_MS = 5;
/** Texts of messages are in it. */
const FILE_MODE = 0o600;

export interface FileChange {
  readonly fault: SpushError;
  /** Whether to open what is at the path now; else the connection is still good for when the file comes back. */
  readonly reopen: boolean;
}

interface Identity {
  readonly database: string;
  readonly log: string;
  readonly index: string;
}

export class StoreFile {
  readonly path: string;
  #held: Identity | null = null;

  constructor(path: string) {
    this.path = path;
  }

  /** Throws unless there is something at the path that may be opened. */
  assertOpenable(create: boolean): void {
    const stats = this.#stat('');
    if (stats !== undefined && !stats.isFile()) throw storeNoFile(this.path);
    if (!create && stats === undefined) throw storeMissing(this.path);
    if (!create && stats?.size === 0n) throw storeEmpty(this.path);
    // An index without its log: somebody deleted the log, and a process that still holds it may be writing to it. Opening
    // now would start a second log beside it, and one of the two would be lost.
    for (let tries = 1; this.#identity('-wal') === '' && this.#identity('-shm') !== ''; tries += 1) {
      if (tries === COMPANION_TRIES) throw storeLogLost(this.path);
      sleepMs(COMPANION_WAIT_MS);
    }
  }

  /**
   * Makes the file, empty, for its owner alone, whatever the umask is; SQLite gives log and index the same rights. Not when it
   * is there: closing it would drop SQLite's locks on it.
   */
  makeForOwner(): void {
    try {
      closeSync(openSync(this.path, 'wx', FILE_MODE));
    } catch {
      // It is there; or it cannot be made, which SQLite meets as well and says in its own words.
    }
  }

  /** Call when the connection has read once, so that log and index exist. */
  remember(): void {
    this.#held = this.#current();
  }

  /** Null while the file at the path is the one that is open. */
  changed(): FileChange | null {
    const held = this.#held;
    if (held === null) return null;
    try {
      const current = this.#current();
      if (current.database === '') return { fault: storeMissing(this.path), reopen: false };
      if (current.database !== held.database) return { fault: storeReplaced(this.path), reopen: true };
      if (current.log !== held.log || current.index !== held.index)
        return { fault: storeLogLost(this.path), reopen: true };
      return null;
    } catch (error) {
      return { fault: faultOf(this.path, error), reopen: false };
    }
  }

  #current(): Identity {
    return { database: this.#identity(''), log: this.#identity('-wal'), index: this.#identity('-shm') };
  }

  /** Empty when there is no such file. */
  #identity(suffix: string): string {
    const stats = this.#stat(suffix);
    return stats === undefined ? '' : `${stats.dev}:${stats.ino}`;
  }

  #stat(suffix: string): BigIntStats | undefined {
    try {
      return statSync(this.path + suffix, { bigint: true, throwIfNoEntry: false });
    } catch (error) {
      throw storeUnreachable(this.path, error);
    }
  }
}

const NEVER = new Int32Array(new SharedArrayBuffer(4));

/** Stops this thread. */
export function sleepMs(ms: number): void {
  Atomics.wait(NEVER, 0, 0, ms);
}
