/**
 * Every error text of the embedded store: which file, what is wrong with it, what to do. Each answers one thing that
 * people and machines do to a file.
 */
import { errorText, isSpushError, SpushError } from '../../../../shared/base/errors.js';

/** SQLite's primary result codes, https://www.sqlite.org/rescode.html */
export const SQLITE = {
  BUSY: 5,
  LOCKED: 6,
  READONLY: 8,
  IOERR: 10,
  CORRUPT: 11,
  FULL: 13,
  CANTOPEN: 14,
  TOOBIG: 18,
  CONSTRAINT: 19,
  NOTADB: 26,
} as const;

/** After these the connection is as good as before; after all others it is replaced. */
const HARMLESS: ReadonlySet<number> = new Set([
  SQLITE.BUSY,
  SQLITE.LOCKED,
  SQLITE.FULL,
  SQLITE.TOOBIG,
  SQLITE.CONSTRAINT,
]);

/** The primary result code, or null when this is not an error of SQLite. */
export function resultCode(error: unknown): number | null {
  if (!(error instanceof Error)) return null;
  if ('rawCode' in error && typeof error.rawCode === 'number') return error.rawCode & 0xff;
  // Opening fails with a text only: `ConnectionFailed("Unable to open connection to local database …: 14")`.
  const code = /^ConnectionFailed\(.*: (\d+)"\)$/s.exec(error.message)?.[1];
  return code === undefined ? null : Number(code) & 0xff;
}

/** Extended code: a read that was left open sees an old state, so no transaction begins behind it. Waiting does not help. */
const BUSY_SNAPSHOT = 517;

function isStaleView(error: unknown): boolean {
  return error instanceof Error && 'rawCode' in error && error.rawCode === BUSY_SNAPSHOT;
}

export function isBusy(error: unknown): boolean {
  if (isStaleView(error)) return false;
  const code = resultCode(error);
  return code === SQLITE.BUSY || code === SQLITE.LOCKED;
}

/** Whether the connection that threw this must be replaced. */
export function spoilsConnection(error: unknown): boolean {
  const code = resultCode(error);
  return isStaleView(error) || (code !== null && !HARMLESS.has(code));
}

const unavailable = (file: string, text: string, cause?: unknown): SpushError =>
  new SpushError('STORE_UNAVAILABLE', `the store ${file} ${text}`, { cause });

export const storeMissing = (file: string): SpushError =>
  unavailable(
    file,
    'is gone: it was deleted or moved while in use. Put it back (the file with its -wal and -shm); ' +
      'spush goes on by itself, and does not make an empty one in its place',
  );

export const storeEmpty = (file: string): SpushError =>
  unavailable(
    file,
    'is an empty file in place of the one that was in use. Put back the file with the messages',
  );

export const storeReplaced = (file: string): SpushError =>
  unavailable(file, 'was replaced by another file while in use; it is opened anew');

export const storeNoFile = (file: string): SpushError =>
  unavailable(file, 'is not a file. Set `file` in the configuration to the path of a file');

export const storeForeign = (file: string): SpushError =>
  unavailable(
    file,
    'is an SQLite database of another program. Set `file` in the configuration to a path of its own',
  );

export const storeLogLost = (file: string): SpushError =>
  unavailable(
    file,
    `has lost its write-ahead log ${file}-wal while in use. Put the log back, or stop every spush process on this ` +
      `file (the last one writes back what it still holds), then delete ${file}-shm and start again`,
  );

export const storeNoWal = (file: string, mode: string): SpushError =>
  unavailable(
    file,
    `is on a file system without shared memory (journal mode ${mode} instead of wal). Move it to a local disk`,
  );

export const storeUnreachable = (file: string, cause: unknown): SpushError =>
  unavailable(
    file,
    `cannot be reached: ${errorText(cause)}. Give this user access to its folder and all above`,
    cause,
  );

export const storeNoRoom = (file: string, bytes: number): SpushError =>
  unavailable(file, `has only ${bytes} bytes left on its disk. Free some; spush goes on by itself`);

export const storeIdTaken = (file: string, cause: unknown): SpushError =>
  unavailable(
    file,
    'holds a message with the id just made: two processes make ids with the same generator number. Stop one of them',
    cause,
  );

export const schemaNewer = (file: string, found: number, known: number): SpushError =>
  new SpushError(
    'STORE_SCHEMA_NEWER',
    `the store ${file} has schema version ${found}, this spush knows up to version ${known}. ` +
      'Start the newer spush that wrote it, or restore a copy of the store made before the upgrade',
  );

/** What of anything thrown while the file was used; SpushErrors stay as they are. */
export function faultOf(file: string, error: unknown): SpushError {
  if (isSpushError(error)) return error;
  const code = resultCode(error);
  if (code === null)
    return new SpushError('INTERNAL', `the store failed: ${errorText(error)}`, { cause: error });
  const text = errorText(error);
  switch (code) {
    case SQLITE.BUSY:
    case SQLITE.LOCKED:
      return unavailable(
        file,
        `is locked by another program for too long (${text}). Find it with \`fuser ${file}\` and end it`,
        error,
      );
    case SQLITE.FULL:
      return unavailable(
        file,
        `has no room left on its disk (${text}). Free some; spush goes on by itself`,
        error,
      );
    case SQLITE.READONLY:
      return unavailable(
        file,
        `cannot be written (${text}). Make the file, its folder and its file system writable for this user`,
        error,
      );
    case SQLITE.CANTOPEN:
      return unavailable(
        file,
        `cannot be opened (${text}). Its folder must be there and this user must be allowed to read and write both`,
        error,
      );
    case SQLITE.NOTADB:
      return unavailable(
        file,
        `is not a message store (${text}). Put back the right file or a copy of it`,
        error,
      );
    case SQLITE.CORRUPT:
      return unavailable(file, `is damaged (${text}). Stop spush and restore a copy of the file`, error);
    case SQLITE.IOERR:
      return unavailable(
        file,
        `met an error of its disk (${text}). Look at the kernel's log, the disk's health and its quota`,
        error,
      );
    default:
      return unavailable(
        file,
        `failed (${text}, SQLite code ${code}). Look at the disk and at who else uses the file`,
        error,
      );
  }
}
