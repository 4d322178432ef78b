/**
 * The tables as types, and the builder of statements. kysely only writes SQL here: connections, deadlines and retries are ours,
 * because a caller must never hang on a server that fell silent (connections.ts).
 *
 * `Rows` are what a SELECT yields: the driver gives every BIGINT as text, since ids do not fit a number. What is sent instead
 * of a `?` is written by literals.ts.
 */
import {
  DummyDriver,
  Kysely,
  MysqlAdapter,
  MysqlIntrospector,
  MysqlQueryCompiler,
  type RawBuilder,
} from 'kysely';

/** A value of a statement. */
export type Scalar = number | bigint | string | null;

/** A statement and its values, one for each `?`. A list of rows stands for `VALUES ?`. */
export interface Statement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

export interface MessageTable {
  id: bigint;
  uid: number;
  kind: number;
  state: number;
  body_id: bigint;
  due: number;
  created_at: number;
  expires_at: number;
  sent_at: number | null;
  acked_at: number | null;
  read_at: number | null;
  caller_key: string | null;
  collapse_key: string | null;
}

export interface Tables {
  spush_body: { id: bigint; copies: number; text: string };
  spush_message: MessageTable;
  spush_receipt: {
    message_id: bigint;
    uid: number;
    settled: number;
    sent_at: number;
    acked_at: number | null;
    read_at: number | null;
  };
  spush_released: { kind: number; number: number; last_at: number | null };
  spush_writer: { owner: bigint; part: number; number: number; at: number };
  spush_schema: { version: number };
}

export const build = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new MysqlAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new MysqlIntrospector(db),
    createQueryCompiler: () => new MysqlQueryCompiler(),
  },
});

/** A statement written with `sql`, for what the builder has no words for: forced indexes, unions of ordered pages. */
export function written(statement: RawBuilder<unknown>): Statement {
  return statement.compile(build);
}

export function* chunksOf<T>(list: readonly T[], size: number): Generator<readonly T[]> {
  for (let from = 0; from < list.length; from += size) yield list.slice(from, from + size);
}

export function groupBy<T, K>(list: readonly T[], keyOf: (one: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const one of list) {
    const key = keyOf(one);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return groups;
}
