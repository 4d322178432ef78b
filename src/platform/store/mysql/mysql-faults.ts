/**
 * Every error text of the MySQL store: which server, what is wrong with it, what to do. Never the password.
 *
 * Also what may be done about an error: run the transaction again, throw the connection away, or neither.
 */
import { errorText, isSpushError, SpushError } from '../../../shared/base/errors.js';

/** Where the store is, without the password. */
export interface MysqlPlace {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

/** Numbers of server errors, https://mariadb.com/kb/en/mariadb-error-codes/ */
export const MYSQL = {
  TOO_MANY_CONNECTIONS: 1040,
  DATABASE_DENIED: 1044,
  ACCESS_DENIED: 1045,
  NO_DATABASE: 1049,
  SHUTTING_DOWN: 1053,
  DUPLICATE: 1062,
  DISK_FULL: 1021,
  TABLE_FULL: 1114,
  COMMAND_DENIED: 1142,
  NO_TABLE: 1146,
  PACKET_TOO_LARGE: 1153,
  OUT_OF_RANGE: 1264,
  WRONG_VALUE: 1366,
  TOO_LONG: 1406,
  LOCK_WAIT: 1205,
  DEADLOCK: 1213,
  QUERY_INTERRUPTED: 1317,
  READ_ONLY: 1290,
  CONNECTION_KILLED: 1927,
} as const;

/** What the driver says when a statement's or a connection's time is over. */
const TIMED_OUT: ReadonlySet<string> = new Set(['PROTOCOL_SEQUENCE_TIMEOUT', 'ETIMEDOUT']);

/** The number of an error that the server answered, or null: then the connection is in doubt. */
export function serverCode(error: unknown): number | null {
  return error instanceof Error && 'errno' in error && 'sqlState' in error && typeof error.errno === 'number'
    ? error.errno
    : null;
}

/** Errors of the driver that have no code still say when they end the connection. */
function driverCode(error: unknown): string {
  if (!(error instanceof Error)) return '';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return 'fatal' in error && error.fatal === true ? 'CONNECTION_CLOSED' : '';
}

/** The server took back the transaction (or only the statement, then we do): as if it had not been tried. */
export function isContention(error: unknown): boolean {
  const code = serverCode(error);
  return code === MYSQL.DEADLOCK || code === MYSQL.LOCK_WAIT;
}

/** Which unique key was met, by its name; null when none was. MySQL 8 writes `table.key`, others `key`. */
export function duplicateKey(error: unknown): string | null {
  if (serverCode(error) !== MYSQL.DUPLICATE) return null;
  return /for key '(?:[^'.]*\.)?([^'.]+)'$/.exec(errorText(error))?.[1] ?? '';
}

/** After these the connection must not be used again. */
export function spoilsConnection(error: unknown): boolean {
  const code = serverCode(error);
  if (code === null) return !isSpushError(error) || error.cause !== undefined;
  return (
    code === MYSQL.SHUTTING_DOWN ||
    code === MYSQL.CONNECTION_KILLED ||
    code === MYSQL.PACKET_TOO_LARGE ||
    code === MYSQL.READ_ONLY
  );
}

/** The connection is gone, so the server takes back what was not committed; a new one may do better at once. */
export function isConnectionLost(error: unknown): boolean {
  const code = serverCode(error);
  if (code !== null) return code === MYSQL.SHUTTING_DOWN || code === MYSQL.CONNECTION_KILLED;
  return !isSpushError(error) && driverCode(error) !== '' && !TIMED_OUT.has(driverCode(error));
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

/** Nothing was heard of the server: what waits for it will fare no better. */
export function isUnreachable(fault: SpushError): boolean {
  return fault.cause !== undefined && serverCode(fault.cause) === null;
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

/** What to do, by the server's error number. */
const ADVICE: Readonly<Record<number, string>> = {
  [MYSQL.TOO_MANY_CONNECTIONS]: 'Raise max_connections of the server or lower poolSize in db.ts',
  [MYSQL.DATABASE_DENIED]: 'GRANT this user ALL on the database',
  [MYSQL.ACCESS_DENIED]:
    'Check user in db.ts and the password in SPUSH_DB_PASSWORD, and from which addresses the user may come',
  [MYSQL.NO_DATABASE]: 'CREATE DATABASE with this name, or correct database in db.ts',
  [MYSQL.DISK_FULL]: 'Free room on the disk of the server',
  [MYSQL.TABLE_FULL]: 'Free room on the disk of the server',
  [MYSQL.COMMAND_DENIED]:
    'GRANT this user SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER and INDEX on the database',
  [MYSQL.NO_TABLE]: 'Start spush anew: a start makes the tables',
  [MYSQL.PACKET_TOO_LARGE]: 'Raise max_allowed_packet of the server',
  [MYSQL.READ_ONLY]: 'The server takes no changes: point db.ts to the primary',
};

const UNREACHABLE =
  'Check host and port in db.ts, that the server runs and that no firewall is between; spush goes on by itself';

/** What of anything thrown while the server was used; SpushErrors stay as they are. */
export function faultOf(place: MysqlPlace, error: unknown): SpushError {
  if (isSpushError(error)) return error;
  const code = serverCode(error);
  const text = errorText(error);
  if (code !== null) {
    const advice = ADVICE[code] ?? 'Look at the error log of the server';
    return storeUnavailable(place, `failed: ${text} (error ${code}). ${advice}`, error);
  }
  const driver = driverCode(error);
  if (driver === '') return new SpushError('INTERNAL', `the store failed: ${text}`, { cause: error });
  if (TIMED_OUT.has(driver))
    return storeUnavailable(place, `does not answer (${driver}: ${text}). ${UNREACHABLE}`, error);
  return storeUnavailable(place, `cannot be reached (${driver}: ${text}). ${UNREACHABLE}`, error);
}

/** The same for a start that fails: it says what an operator has to do before spush can run. */
export function startFault(place: MysqlPlace, error: unknown): SpushError {
  const fault = faultOf(place, error);
  if (fault.code !== 'STORE_UNAVAILABLE') return fault;
  return new SpushError('START_FAILED', fault.message.replace('; spush goes on by itself', ''), {
    cause: error,
  });
}
