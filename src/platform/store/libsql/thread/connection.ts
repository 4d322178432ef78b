/** Opens the file the way the store needs it: WAL, every commit on the disk before it is answered, schema up to date. */

import { type Moment, msLater, msSince } from '../../../../shared/base/clock.js';
import { systemClock } from '../../../clock/system-clock.js';
import type { ExitGate } from '../exit-gate.js';
import { Database } from './database.js';
import { assertOurs, migrate } from './migrate.js';
import { faultOf, isBusy, storeNoWal } from './store-faults.js';
import { type StoreFile, sleepMs } from './store-file.js';

/**
 * How often a busy lock is tried again. SQLite's own waiting grows to 100 ms between tries, which under constant writing
 * of others means to come too late again and again.
 */
const BUSY_RETRY_MS = 0.5;

/** Page cache of one process, KiB: holds the upper levels of every index of some ten million messages. */
const CACHE_KIB = 32 * 1024;

/** After a huge batch the log shrinks back to this, bytes. */
const LOG_BYTES_KEPT = 64 * 1024 * 1024;

export interface OpenOptions {
  readonly create: boolean;
  readonly lockWaitMs: number;
  readonly gate?: ExitGate;
}

export interface Connection {
  readonly db: Database;
  /** The highest message id in the file, 0 when there is none. */
  readonly highest: bigint;
}

/** Throws a SpushError that says what is wrong with the file. */
export function openConnection(file: StoreFile, { create, lockWaitMs, gate }: OpenOptions): Connection {
  try {
    file.assertOpenable(create);
    if (create) file.makeForOwner();
    const db = new Database(file.path, create, gate);
    const deadline = msLater(systemClock.moment(), lockWaitMs);
    // Only `exec` meets locks here: see database.ts. What is asked is asked inside a transaction, where there are none.
    const exec = (sql: string): void => whileBusy(deadline, () => db.exec(sql));
    exec('BEGIN IMMEDIATE');
    assertOurs(db, file.path);
    exec('COMMIT');
    exec('PRAGMA journal_mode = WAL');
    exec('PRAGMA synchronous = FULL');
    exec('PRAGMA foreign_keys = OFF');
    exec(`PRAGMA cache_size = -${CACHE_KIB}`);
    exec(`PRAGMA journal_size_limit = ${LOG_BYTES_KEPT}`);
    exec('BEGIN IMMEDIATE');
    const mode = db.value('PRAGMA journal_mode');
    if (mode !== 'wal') throw storeNoWal(file.path, String(mode));
    migrate(db, { file: file.path });
    const highest = db
      .prepare<readonly [bigint | null]>('SELECT max(id) FROM message', { bigints: true })
      .get();
    exec('COMMIT');
    file.remember();
    return { db, highest: highest?.[0] ?? 0n };
  } catch (error) {
    throw faultOf(file.path, error);
  }
}

/** Tries at least once, and again while somebody else holds a lock, until the deadline. */
export function whileBusy<T>(deadline: Moment, work: () => T): T {
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || msSince(systemClock, deadline) >= 0) throw error;
    }
    sleepMs(BUSY_RETRY_MS);
  }
}
