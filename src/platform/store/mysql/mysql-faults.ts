/**
 * Every error text of the MySQL store: which server, what is wrong with it, what to do. Never the password.
 */
import { errorText, isSpushError, SpushError } from '../../../shared/base/errors.js';
import { driverCode, isTimedOut, MYSQL, serverCode, takesNoWrites } from './server-errors.js';

/** Where the store is, without the password. */
export interface MysqlPlace {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

/** What the user of spush may do in its database; docs/OPERATIONS.md has the statements. CREATE, ALTER and INDEX: a start. */
export const DATABASE_RIGHTS = 'SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX';

/** The database is named, as another environment has another one. */
function grantText({ database }: MysqlPlace): string {
  return `GRANT ${DATABASE_RIGHTS} ON ${database}.* to this user`;
}

function whereIs({ host, port, user, database }: MysqlPlace): string {
  return `database "${database}" at ${host}:${port} (user "${user}")`;
}

export function storeUnavailable(place: MysqlPlace, text: string, cause?: unknown): SpushError {
  return new SpushError('STORE_UNAVAILABLE', `the store, ${whereIs(place)}, ${text}`, { cause });
}

export const storeClosed = (place: MysqlPlace): SpushError => storeUnavailable(place, 'is closed');

export const noFreeConnection = (place: MysqlPlace, waitedMs: number, poolSize: number): SpushError =>
  storeUnavailable(
    place,
    `had none of this process's ${poolSize} connections free for ${waitedMs} ms. The server is slow or does not ` +
      'answer; spush goes on by itself. If it is only busy, raise poolSize in db.ts',
    new Error('no connection came in time'),
  );

export const commitUnknown = (place: MysqlPlace, cause: unknown): SpushError =>
  storeUnavailable(
    place,
    `was lost during a commit (${errorText(cause)}) and cannot be asked whether it was kept. Repeat the call with the ` +
      'same ids of your own: what was kept is not kept twice',
    cause,
  );

export const stillContended = (place: MysqlPlace, tries: number, cause: unknown): SpushError =>
  storeUnavailable(
    place,
    `could not get past other writers in ${tries} tries (${errorText(cause)}). Look for long transactions of ` +
      'other programs with SHOW PROCESSLIST',
    cause,
  );

export const textTooLong = (place: MysqlPlace, bytes: number, packetBytes: number): SpushError =>
  storeUnavailable(
    place,
    `takes packets of ${packetBytes} bytes, and a text of about ${bytes} bytes is to be kept. Raise max_allowed_packet of the server`,
  );

export const storeFull = (place: MysqlPlace, calls: number, bytes: number): SpushError =>
  new SpushError(
    'STORE_BUSY',
    `the store, ${whereIs(place)}, has ${calls} calls of ${bytes} bytes waiting; try again in a few seconds`,
  );

/** A connection of this server is not used: it only reads. */
export const readsOnly = (
  place: MysqlPlace,
  { name, value, advice }: { readonly name: string; readonly value: string; readonly advice: string },
): SpushError =>
  storeUnavailable(
    place,
    `takes no changes: ${name} is ${value}. ${advice}; spush goes on by itself`,
    new Unfit(`${name} is ${value}`),
  );

/** Behind a fault of a connection that was asked before its use, and is not used. */
class Unfit extends Error {}

/** The connection was asked before its use, and its answer was not what the store needs. */
export function isUnfit(error: unknown): error is SpushError {
  return isSpushError(error) && error.cause instanceof Unfit;
}

/** A connection is not used: what spush sets for its session did not come to stand. */
export const settingWrong = (
  place: MysqlPlace,
  {
    name,
    value,
    wanted,
    advice,
  }: { readonly name: string; readonly value: string; readonly wanted: string; readonly advice: string },
): SpushError =>
  storeUnavailable(
    place,
    `has ${name} = '${value}' in a session for which spush needs '${wanted}'. ${advice}`,
    new Unfit(`${name} is ${value}`),
  );

/** @param what was found wrong of a table, and what to do */
export const tableWrong = (place: MysqlPlace, what: string): SpushError => storeUnavailable(place, what);

export const rightsMissing = (place: MysqlPlace, rights: readonly string[], table: string): SpushError =>
  storeUnavailable(place, `does not let this user ${rights.join(', ')} in ${table}. ${grantText(place)}`);

export const schemaNewer = (place: MysqlPlace, found: number, known: number): SpushError =>
  new SpushError(
    'STORE_SCHEMA_NEWER',
    `the store, ${whereIs(place)}, has schema version ${found}, this spush knows up to version ${known}. ` +
      'Start the newer spush that wrote it, or restore a copy of the database made before the upgrade',
  );

export const schemaOlder = (place: MysqlPlace, found: number, known: number): SpushError =>
  storeUnavailable(
    place,
    `has schema version ${found} instead of ${known}. Start spush anew: a start brings the tables up to date`,
  );

export const migrationLocked = (place: MysqlPlace, waitedSeconds: number): SpushError =>
  storeUnavailable(
    place,
    `is being brought up to date by another process for more than ${waitedSeconds} s. Wait for it, then start again`,
  );

/** Nothing was heard of the server, or it takes no changes at all: what waits for it will fare no better. */
export function isUnreachable(fault: SpushError): boolean {
  return fault.cause !== undefined && (serverCode(fault.cause) === null || takesNoWrites(fault.cause));
}

const OF_ONE_CALL: ReadonlySet<number> = new Set([
  MYSQL.PACKET_TOO_LARGE,
  MYSQL.OUT_OF_RANGE,
  MYSQL.WRONG_VALUE,
  MYSQL.TOO_LONG,
]);

/** What one call asks for cannot be done; the others of its group are not to blame. */
export function isOfOneCall(fault: SpushError): boolean {
  const code = serverCode(fault.cause);
  return fault.code === 'INTERNAL' || fault.cause === undefined || (code !== null && OF_ONE_CALL.has(code));
}

/** The server cannot do what it could a moment ago: any call would have fared the same. */
export function isAway(fault: SpushError): boolean {
  return fault.code === 'STORE_UNAVAILABLE' && !isOfOneCall(fault);
}

const DENIED: ReadonlySet<number> = new Set([
  MYSQL.DATABASE_DENIED,
  MYSQL.COMMAND_DENIED,
  MYSQL.COLUMN_DENIED,
]);
const TOO_SLOW =
  'It took longer than queryMs in db.ts allows: the server is slow, or waits for the locks of others (SHOW PROCESSLIST)';
const FREE_ROOM = 'Free room on the disk of the server';
const PRIMARY = 'The server takes no changes: point db.ts to the primary; spush goes on by itself';

/** What to do, by the server's error number. */
const ADVICE: Readonly<Record<number, string>> = {
  [MYSQL.TOO_MANY_CONNECTIONS]: 'Raise max_connections of the server or lower poolSize in db.ts',
  [MYSQL.ACCESS_DENIED]:
    'Check user in db.ts and the password in SPUSH_DB_PASSWORD, and from which addresses the user may come',
  [MYSQL.NO_DATABASE]: 'CREATE DATABASE with this name, or correct database in db.ts',
  [MYSQL.KEY_TOO_LONG]: 'The tables need an innodb_page_size of 16k or more',
  [MYSQL.DISK_FULL]: FREE_ROOM,
  [MYSQL.TABLE_FULL]: FREE_ROOM,
  [MYSQL.NO_TABLE]: 'Start spush anew: a start makes the tables',
  [MYSQL.PACKET_TOO_LARGE]: 'Raise max_allowed_packet of the server',
  [MYSQL.CONNECTION_ABORTED]:
    "If init_connect failed: correct it, or SET GLOBAL init_connect = '' on the server",
  [MYSQL.OPTION_PREVENTS]: 'Change that option of the server',
  [MYSQL.STATEMENT_TIME]: TOO_SLOW,
  [MYSQL.SELECT_TIME]: TOO_SLOW,
  [MYSQL.BINLOG_STATEMENT]:
    "SET GLOBAL binlog_format = 'MIXED' (or 'ROW') on the server, and in its configuration",
};

const UNREACHABLE =
  'Check host and port in db.ts, that the server runs and that no firewall is between; spush goes on by itself';

/** What of anything thrown while the server was used; SpushErrors stay as they are. */
export function faultOf(place: MysqlPlace, error: unknown): SpushError {
  if (isSpushError(error)) return error;
  const code = serverCode(error);
  const text = errorText(error);
  if (code !== null) {
    return storeUnavailable(
      place,
      `failed: ${text} (error ${code}). ${adviceFor(place, code, error)}`,
      error,
    );
  }
  const driver = driverCode(error);
  if (driver === '') return new SpushError('INTERNAL', `the store failed: ${text}`, { cause: error });
  if (isTimedOut(error))
    return storeUnavailable(place, `does not answer (${driver}: ${text}). ${UNREACHABLE}`, error);
  return storeUnavailable(place, `cannot be reached (${driver}: ${text}). ${UNREACHABLE}`, error);
}

function adviceFor(place: MysqlPlace, code: number, error: unknown): string {
  if (takesNoWrites(error)) return PRIMARY;
  if (DENIED.has(code)) return grantText(place);
  return ADVICE[code] ?? 'Look at the error log of the server';
}

/** The same for a start that fails: it says what an operator has to do before spush can run. */
export function startFault(place: MysqlPlace, error: unknown): SpushError {
  const fault = faultOf(place, error);
  if (fault.code !== 'STORE_UNAVAILABLE') return fault;
  return new SpushError('START_FAILED', fault.message.replace('; spush goes on by itself', ''), {
    cause: error,
  });
}
