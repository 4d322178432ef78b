/**
 * What the store relies on in a session of the server, set on every new connection and then read back: a configuration, an
 * init_connect or a proxy on the way may have other ideas, and a session that is only almost right stores garbage.
 *
 * Also whether the server takes changes at all: it may have been demoted, or the address may have moved.
 */
import { type MysqlPlace, readsOnly, settingWrong } from './mysql-faults.js';
import type { Session } from './session.js';

interface Setting {
  /** Variables of this name; those that the server does not have are left out, but one of them must be there. */
  readonly names: readonly string[];
  readonly wanted: string;
  /** As the server shows it is as it should be. */
  readonly isRight?: (value: string) => boolean;
  readonly advice: string;
}

/** A lock of another transaction is given up before the statement's deadline, so that the connection survives it. */
const LOCK_WAIT_SHARE = 0.6;
/** The server ends a statement that waits for many locks in turn, before this end takes it for dead. MariaDB can do that. */
const STATEMENT_SHARE = 0.9;
/** What a process that froze or whose machine is gone had locked is free after this. Idle connections end with it too. */
const IDLE_SECONDS = 60;

const SQL_MODE = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO';
const ROWS_MAX = '18446744073709551615';

const BY_PROXY =
  'A proxy between spush and the server keeps its own: let it pass on what a session sets, or connect without it';

const on = (value: string): boolean => value === 'ON' || value === '1';
const off = (value: string): boolean => value === 'OFF' || value === '0';

function lockSecondsOf(queryMs: number): number {
  return Math.max(1, Math.floor((queryMs * LOCK_WAIT_SHARE) / 1000));
}

/** Names that only one of the servers has are in its own kind of comment, which the other skips. */
function statementsOf(queryMs: number): string[] {
  const lockSeconds = lockSecondsOf(queryMs);
  const statementMs = Math.floor(queryMs * STATEMENT_SHARE);
  return [
    `SET NAMES utf8mb4 COLLATE utf8mb4_bin, SESSION sql_mode = '${SQL_MODE}', SESSION autocommit = 1,
       SESSION time_zone = '+00:00', SESSION lc_messages = 'en_US', SESSION completion_type = 'NO_CHAIN',
       SESSION unique_checks = 1, SESSION sql_safe_updates = 0, SESSION sql_auto_is_null = 0,
       SESSION sql_big_selects = 1, SESSION sql_select_limit = ${ROWS_MAX}, SESSION wait_timeout = ${IDLE_SECONDS},
       SESSION innodb_lock_wait_timeout = ${lockSeconds}, SESSION lock_wait_timeout = ${lockSeconds}
       /*M!100600 , SESSION max_statement_time = ${statementMs / 1000}, SESSION in_predicate_conversion_threshold = 0 */
       /*!80000 , SESSION max_execution_time = ${statementMs} */`,
    'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE',
  ];
}

function settingsOf(queryMs: number): Setting[] {
  const lockSeconds = String(lockSecondsOf(queryMs));
  const one = (name: string, wanted: string, isRight?: (value: string) => boolean): Setting => ({
    names: [name],
    wanted,
    ...(isRight ? { isRight } : {}),
    advice: BY_PROXY,
  });
  const modes = new Set(SQL_MODE.split(','));
  return [
    one('character_set_client', 'utf8mb4'),
    one('character_set_connection', 'utf8mb4'),
    one('character_set_results', 'utf8mb4'),
    one('collation_connection', 'utf8mb4_bin'),
    one('sql_mode', SQL_MODE, (value) => {
      const found = value.split(',');
      return found.length === modes.size && found.every((mode) => modes.has(mode));
    }),
    one('autocommit', 'ON', on),
    one('time_zone', '+00:00'),
    one('lc_messages', 'en_US'),
    one('completion_type', 'NO_CHAIN', (value) => value === 'NO_CHAIN' || value === '0'),
    one('unique_checks', 'ON', on),
    one('sql_safe_updates', 'OFF', off),
    one('sql_auto_is_null', 'OFF', off),
    one('sql_big_selects', 'ON', on),
    one('sql_select_limit', ROWS_MAX),
    one('innodb_lock_wait_timeout', lockSeconds),
    one('lock_wait_timeout', lockSeconds),
    { names: ['transaction_isolation', 'tx_isolation'], wanted: 'READ-COMMITTED', advice: BY_PROXY },
    { names: ['transaction_read_only', 'tx_read_only'], wanted: 'OFF', isRight: off, advice: BY_PROXY },
  ];
}

/** Variables of the server itself; asked for together with the session's. */
const OF_SERVER = [
  'read_only',
  'innodb_read_only',
  'wsrep_on',
  'wsrep_provider',
  'log_bin',
  'binlog_format',
  'max_allowed_packet',
] as const;

/** What is known of a connection that may be used. */
export interface SessionFacts {
  /** Longest statement the server takes, bytes. */
  readonly packetBytesMax: number;
  /** The server is a node of a Galera cluster, which can lose the others. */
  readonly isGalera: boolean;
}

/** Sets up a new connection. Throws a SpushError when it must not be used, naming the variable. */
export async function setUpSession(
  session: Pick<Session, 'exec' | 'rows'>,
  place: MysqlPlace,
  queryMs: number,
): Promise<SessionFacts> {
  for (const statement of statementsOf(queryMs)) await session.exec(statement);
  const settings = settingsOf(queryMs);
  const names = [...settings.flatMap((setting) => setting.names), ...OF_SERVER];
  const rows = await session.rows<{ Variable_name: string; Value: string }>({
    sql: `SHOW SESSION VARIABLES WHERE Variable_name IN (${names.map((name) => `'${name}'`).join(', ')})`,
    parameters: [],
  });
  const variables = new Map(rows.map((row) => [row.Variable_name, row.Value]));
  assertSettings(place, variables, queryMs);
  const facts = {
    packetBytesMax: Number(variables.get('max_allowed_packet')),
    isGalera: on(variables.get('wsrep_on') ?? 'OFF') && variables.get('wsrep_provider') !== 'none',
  };
  assertWrites(place, variables);
  if (facts.isGalera) await assertNodeReady(session, place);
  return facts;
}

/** Asks a connection that was set up whether its server still takes changes. Throws when it does not. */
export async function askAgain(
  session: Pick<Session, 'rows'>,
  place: MysqlPlace,
  { isGalera }: SessionFacts,
): Promise<void> {
  const [row] = await session.rows<{ server: number | string; tables: number | string }>({
    sql: 'SELECT @@read_only AS server, @@innodb_read_only AS tables',
    parameters: [],
  });
  const variables = new Map([
    ['read_only', String(row?.server)],
    ['innodb_read_only', String(row?.tables)],
  ]);
  assertWrites(place, variables);
  if (isGalera) await assertNodeReady(session, place);
}

/** @param variables by name, as SHOW VARIABLES gives them */
export function assertSettings(
  place: MysqlPlace,
  variables: ReadonlyMap<string, string>,
  queryMs: number,
): void {
  for (const { names, wanted, isRight = (value: string) => value === wanted, advice } of settingsOf(
    queryMs,
  )) {
    const known = names.filter((name) => variables.has(name));
    for (const name of known.length > 0 ? known : names.slice(0, 1)) {
      const value = variables.get(name) ?? '';
      if (!isRight(value)) throw settingWrong(place, { name, value, wanted, advice });
    }
  }
  // Row locks of READ COMMITTED cannot be replayed from statements, so the server refuses every change.
  if (on(variables.get('log_bin') ?? 'OFF') && variables.get('binlog_format') === 'STATEMENT')
    throw settingWrong(place, {
      name: 'binlog_format',
      value: 'STATEMENT',
      wanted: 'MIXED or ROW',
      advice: "SET GLOBAL binlog_format = 'MIXED' on the server, and in its configuration",
    });
}

const WRITING: readonly (readonly [variable: string, advice: string])[] = [
  [
    'read_only',
    'If it is a replica, point db.ts to the primary; else SET GLOBAL read_only = OFF on the server',
  ],
  ['innodb_read_only', 'If it is a replica, point db.ts to the primary; else start the server without it'],
];

function assertWrites(place: MysqlPlace, variables: ReadonlyMap<string, string>): void {
  for (const [name, advice] of WRITING) {
    const value = variables.get(name) ?? 'OFF';
    // Newer servers have more words than OFF and ON for it.
    if (!off(value)) throw readsOnly(place, { name, value, advice });
  }
}

/** A node without its cluster answers everything that needs no table. */
async function assertNodeReady(session: Pick<Session, 'rows'>, place: MysqlPlace): Promise<void> {
  const [row] = await session.rows<{ Value: string }>({
    sql: "SHOW STATUS LIKE 'wsrep_ready'",
    parameters: [],
  });
  const value = row?.Value ?? 'unknown';
  const advice = 'The node has lost its cluster, or is not let into it: see the error log of the server';
  if (!on(value)) throw readsOnly(place, { name: 'wsrep_ready', value, advice });
}
