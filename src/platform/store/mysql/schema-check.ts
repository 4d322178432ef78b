/**
 * Looks, at a start, whether the tables are still what the migrations made and whether this user may use them: what somebody
 * converted, restored into another engine or forgot to grant shall be said now, not as the fault of some later message.
 */
import { sql } from 'kysely';
import { type MysqlPlace, rightsMissing, tableWrong } from './mysql-faults.js';
import { MYSQL, serverCode } from './server-errors.js';
import type { Session } from './session.js';
import { type Tables, written } from './statements.js';

/** The tables that are written while spush runs. A column of each that may be set to itself. */
const WRITTEN = {
  spush_body: 'copies',
  spush_message: 'state',
  spush_receipt: 'settled',
  spush_released: 'number',
  spush_writer: 'at',
} as const satisfies Partial<Record<keyof Tables, string>>;

interface TextColumn {
  readonly type: string;
  /** Null for bytes. */
  readonly charset: string | null;
}

/** Columns whose values are texts: the wrong type refuses what it cannot hold, or takes different keys for equal. */
const TEXTS: Partial<Record<keyof Tables, Readonly<Record<string, TextColumn>>>> = {
  spush_body: { text: { type: 'mediumtext', charset: 'utf8mb4' } },
  spush_message: {
    caller_key: { type: 'varbinary', charset: null },
    collapse_key: { type: 'varbinary', charset: null },
  },
};

export async function checkSchema(session: Session, place: MysqlPlace): Promise<void> {
  // A column of which this user may see nothing is not shown.
  for (const [table, column] of Object.entries(WRITTEN)) await checkRights(session, place, table, column);
  await checkEngines(session, place);
  await checkTexts(session, place);
}

async function checkEngines(session: Session, place: MysqlPlace): Promise<void> {
  const rows = await session.rows<{ name: string; engine: string | null }>(
    written(sql`
      SELECT TABLE_NAME AS name, ENGINE AS engine FROM information_schema.TABLES
      WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN (${sql.join(Object.keys(WRITTEN))})`),
  );
  for (const { name, engine } of rows)
    if (engine?.toLowerCase() !== 'innodb')
      throw tableWrong(
        place,
        `keeps ${name} in the engine ${engine}, which takes nothing back. ALTER TABLE ${name} ENGINE = InnoDB`,
      );
}

async function checkTexts(session: Session, place: MysqlPlace): Promise<void> {
  const rows = await session.rows<{ name: string; col: string; type: string; charset: string | null }>(
    written(sql`
      SELECT TABLE_NAME AS name, COLUMN_NAME AS col, DATA_TYPE AS type, CHARACTER_SET_NAME AS charset
      FROM information_schema.COLUMNS
      WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN (${sql.join(Object.keys(WRITTEN))})`),
  );
  for (const [table, columns] of Object.entries(TEXTS))
    for (const [column, wanted] of Object.entries(columns)) {
      const found = rows.find(
        ({ name, col }) => name.toLowerCase() === table && col.toLowerCase() === column,
      );
      if (found === undefined || !isAs(found, wanted))
        throw tableWrong(place, columnText(table, column, wanted, found));
    }
}

function isAs(found: TextColumn, { type, charset }: TextColumn): boolean {
  return found.type.toLowerCase() === type && (charset === null || found.charset === charset);
}

function columnText(
  table: string,
  column: string,
  wanted: TextColumn,
  found: TextColumn | undefined,
): string {
  const is = found === undefined ? 'is not there' : `is ${found.type} in ${found.charset ?? 'bytes'}`;
  const type =
    wanted.charset === null ? `${wanted.type}(1024)` : `${wanted.type} CHARACTER SET ${wanted.charset}`;
  return (
    `has a column ${table}.${column} that ${is}. Stop spush, look at what it holds, and ALTER TABLE ${table} ` +
    `MODIFY ${column} ${type}, NULL or NOT NULL as it was`
  );
}

/** By statements that meet no row: rights by role, column or table count as they do when it matters. */
async function checkRights(
  session: Session,
  place: MysqlPlace,
  table: string,
  column: string,
): Promise<void> {
  const name = sql.table(table);
  const set = sql.ref(column);
  const missing: string[] = [];
  for (const [right, statement] of [
    ['SELECT', sql`SELECT ${set} FROM ${name} WHERE 1 = 0 FOR UPDATE`],
    ['INSERT', sql`INSERT INTO ${name} SELECT * FROM ${name} WHERE 1 = 0`],
    ['UPDATE', sql`UPDATE ${name} SET ${set} = ${set} WHERE 1 = 0`],
    ['DELETE', sql`DELETE FROM ${name} WHERE 1 = 0`],
  ] as const) {
    try {
      await session.rows(written(statement));
    } catch (error) {
      const code = serverCode(error);
      if (code !== MYSQL.COMMAND_DENIED && code !== MYSQL.COLUMN_DENIED) throw error;
      missing.push(right);
    }
  }
  if (missing.length > 0) throw rightsMissing(place, missing, table);
}
