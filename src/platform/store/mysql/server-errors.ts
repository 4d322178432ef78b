/**
 * What an error of the driver or the server means: what may be done again, and whether the connection may be used again.
 *
 * A connection is kept only after answers that are known to leave it as good as it was. Any other answer ends it, also one
 * that nobody has thought of: a new connection costs a millisecond, and one that is kept may belong to a server that was
 * taken out of service and go on to say so for hours.
 */
import { errorText, isSpushError } from '../../../shared/base/errors.js';

/** Numbers of server errors, https://mariadb.com/kb/en/mariadb-error-codes/ and those of MySQL 8. */
export const MYSQL = {
  CANNOT_CREATE_TABLE: 1005,
  CANNOT_LOCK: 1015,
  ROW_CHANGED: 1020,
  DISK_FULL: 1021,
  TABLE_READ_ONLY: 1036,
  TOO_MANY_CONNECTIONS: 1040,
  DATABASE_DENIED: 1044,
  ACCESS_DENIED: 1045,
  NODE_NOT_READY: 1047,
  NO_DATABASE: 1049,
  SHUTTING_DOWN: 1053,
  DUPLICATE: 1062,
  KEY_TOO_LONG: 1071,
  SHUTDOWN: 1077,
  SHUTDOWN_COMPLETE: 1079,
  TABLE_FULL: 1114,
  COMMAND_DENIED: 1142,
  COLUMN_DENIED: 1143,
  NO_TABLE: 1146,
  PACKET_TOO_LARGE: 1153,
  CONNECTION_ABORTED: 1184,
  LOCK_WAIT: 1205,
  DEADLOCK: 1213,
  READ_LOCKED: 1223,
  OUT_OF_RANGE: 1264,
  OPTION_PREVENTS: 1290,
  QUERY_INTERRUPTED: 1317,
  WRONG_VALUE: 1366,
  TOO_LONG: 1406,
  BINLOG_STATEMENT: 1665,
  TRANSACTION_READ_ONLY: 1792,
  READ_ONLY_MODE: 1836,
  INNODB_READ_ONLY: 1874,
  INNODB_RECOVERY: 1881,
  CONNECTION_KILLED: 1927,
  STATEMENT_TIME: 1969,
  SELECT_TIME: 3024,
  OFFLINE: 3032,
  COMMIT_HOOK: 3100,
  GROUP_ROLLBACK: 3101,
  SERVER_GONE: 3168,
  SESSION_KILLED: 3169,
  HELD_TOO_LONG: 3781,
  HOLD_KILLED: 3782,
  HOLD_STATUS: 3783,
  SCHEMA_READ_ONLY: 3989,
  IDLE_TOO_LONG: 4031,
} as const;

const numbers = (...list: readonly number[]): ReadonlySet<number> => new Set(list);

/**
 * The server took back the statement or the transaction for the sake of others, as if it had not been tried: it is alive.
 * STATEMENT_TIME and SELECT_TIME: what waits for a chain of locks is ended by the server before it looks dead from here.
 * ROW_CHANGED: a deadlock in the words of innodb_snapshot_isolation. GROUP_ROLLBACK: a conflict between nodes of a group.
 */
const CONTENTION = numbers(
  MYSQL.DEADLOCK,
  MYSQL.LOCK_WAIT,
  MYSQL.ROW_CHANGED,
  MYSQL.QUERY_INTERRUPTED,
  MYSQL.STATEMENT_TIME,
  MYSQL.SELECT_TIME,
  MYSQL.GROUP_ROLLBACK,
);

/**
 * It answers, and takes no changes: a replica, a primary that was demoted, a node that has lost its cluster. Another server may
 * stand behind the address already. https://mariadb.com/kb/en/read-only-replicas/, Aurora, Galera, Group Replication.
 */
const NO_WRITES = numbers(
  MYSQL.CANNOT_LOCK,
  MYSQL.TABLE_READ_ONLY,
  MYSQL.NODE_NOT_READY,
  MYSQL.READ_LOCKED,
  MYSQL.TRANSACTION_READ_ONLY,
  MYSQL.READ_ONLY_MODE,
  MYSQL.INNODB_READ_ONLY,
  MYSQL.INNODB_RECOVERY,
  MYSQL.OFFLINE,
  MYSQL.COMMIT_HOOK,
  MYSQL.HELD_TOO_LONG,
  MYSQL.HOLD_KILLED,
  MYSQL.HOLD_STATUS,
  MYSQL.SCHEMA_READ_ONLY,
);

/** Said by a server that ends the connection with it. */
const FAREWELLS = numbers(
  MYSQL.SHUTTING_DOWN,
  MYSQL.SHUTDOWN,
  MYSQL.SHUTDOWN_COMPLETE,
  MYSQL.CONNECTION_KILLED,
  MYSQL.SERVER_GONE,
  MYSQL.SESSION_KILLED,
  MYSQL.IDLE_TOO_LONG,
);

/** What one statement asked for could not be done; the connection has nothing to do with it. */
const OF_STATEMENT = numbers(
  MYSQL.DUPLICATE,
  MYSQL.NO_TABLE,
  MYSQL.OUT_OF_RANGE,
  MYSQL.WRONG_VALUE,
  MYSQL.TOO_LONG,
);

/** Answers to COMMIT after which the server has certainly taken the transaction back (looked up in both servers' source). */
const COMMIT_REFUSED = numbers(
  MYSQL.DEADLOCK,
  MYSQL.LOCK_WAIT,
  MYSQL.ROW_CHANGED,
  MYSQL.TRANSACTION_READ_ONLY,
  MYSQL.READ_ONLY_MODE,
  MYSQL.GROUP_ROLLBACK,
);

/** What the driver says when a statement's or a connection's time is over. */
const TIMED_OUT: ReadonlySet<string> = new Set(['PROTOCOL_SEQUENCE_TIMEOUT', 'ETIMEDOUT']);

/** The number of an error that the server answered, or null: then the connection is in doubt. */
export function serverCode(error: unknown): number | null {
  return error instanceof Error && 'errno' in error && 'sqlState' in error && typeof error.errno === 'number'
    ? error.errno
    : null;
}

/** Errors of the driver that have no code still say when they end the connection. */
export function driverCode(error: unknown): string {
  if (!(error instanceof Error)) return '';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return 'fatal' in error && error.fatal === true ? 'CONNECTION_CLOSED' : '';
}

function isOneOf(error: unknown, list: ReadonlySet<number>): boolean {
  const code = serverCode(error);
  return code !== null && list.has(code);
}

/** As if it had not been tried: it is tried again. */
export function isContention(error: unknown): boolean {
  return isOneOf(error, CONTENTION);
}

/** The server reads and does not write. Whatever was in the transaction is not kept, unless this answered COMMIT. */
export function takesNoWrites(error: unknown): boolean {
  return isOneOf(error, NO_WRITES) || hasReadOnlyOption(error);
}

/** This answer to COMMIT says for certain that nothing was kept. */
export function refusesCommit(error: unknown): boolean {
  return isOneOf(error, COMMIT_REFUSED) || hasReadOnlyOption(error);
}

/** One number for all options that forbid something; their names stand in the text, in every language. */
function hasReadOnlyOption(error: unknown): boolean {
  return serverCode(error) === MYSQL.OPTION_PREVENTS && /read[-_]only/i.test(errorText(error));
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
  return !CONTENTION.has(code) && !OF_STATEMENT.has(code);
}

/** The connection is gone, so the server takes back what was not committed; a new one may do better at once. */
export function isConnectionLost(error: unknown): boolean {
  if (serverCode(error) !== null) return isOneOf(error, FAREWELLS);
  return !isSpushError(error) && driverCode(error) !== '' && !isTimedOut(error);
}

/** Nothing was heard in the time that was given. */
export function isTimedOut(error: unknown): boolean {
  return TIMED_OUT.has(driverCode(error));
}
