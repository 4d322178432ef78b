/**
 * The binding behind a narrow, typed face: prepared statements over plain values, rows as arrays.
 *
 * The binding ends the whole process when it is given a boolean or an object, and quietly skips `undefined`; `Value` keeps
 * both out. A prepared statement that meets another's lock stays half begun, and with it the connection's view of the file, so
 * that no transaction begins behind it any more (SQLITE_BUSY_SNAPSHOT): what may have to wait for a lock goes through `exec`.
 * The binding has no way to let go of prepared statements: a connection is gone only when its thread is. So a
 * thread opens one connection, and whoever wants another starts another thread.
 */
import Libsql from 'libsql';
import type { ExitGate } from '../exit-gate.js';

export type Value = string | number | bigint | null;

export interface Statement<Row extends readonly Value[]> {
  /** Answers how many rows changed. */
  run(...values: Value[]): number;
  all(...values: Value[]): Row[];
  get(...values: Value[]): Row | undefined;
}

type Gate = Pick<ExitGate, 'pass'>;

export class Database {
  /** Every text prepared so far, for the test that no query walks through a whole table. */
  readonly prepared: string[] = [];
  readonly #connection: Libsql.Database;
  readonly #gate: Gate;

  /** Throws when there is no such file; `create` makes it. Every statement passes the gate first. */
  constructor(file: string, create: boolean, gate: Gate = { pass() {} }) {
    this.#gate = gate;
    const path = encodeURI(file).replaceAll('?', '%3F').replaceAll('#', '%23');
    this.#connection = new Libsql(`file:${path}?mode=${create ? 'rwc' : 'rw'}`);
  }

  get inTransaction(): boolean {
    return this.#connection.inTransaction;
  }

  exec(sql: string): void {
    this.#gate.pass();
    this.#connection.exec(sql);
  }

  /** `Row` stands beside the text that yields it: this is the one place where the two are believed to match. */
  prepare<Row extends readonly Value[] = readonly []>(
    sql: string,
    { bigints = false }: { readonly bigints?: boolean } = {},
  ): Statement<Row> {
    this.prepared.push(sql);
    const gate = this.#gate;
    gate.pass();
    const statement = this.#connection.prepare(sql).safeIntegers(bigints);
    if (statement.reader) statement.raw(true);
    return {
      run(...values) {
        gate.pass();
        return statement.run(values).changes;
      },
      all(...values) {
        gate.pass();
        return statement.all(values) as Row[];
      },
      get(...values) {
        gate.pass();
        return statement.get(values) as Row | undefined;
      },
    };
  }

  /** The first value of the first row of something asked once. */
  value(sql: string): Value | undefined {
    return this.prepare<readonly [Value]>(sql).get()?.[0];
  }
}
