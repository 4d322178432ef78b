/**
 * The connections of one process, with a deadline on everything.
 *
 * Promises: nobody waits for a server that is dead or silent longer than connectMs for a connection and queryMs for a statement;
 * when there are more calls than connections (a thousand users log in at once) each has its turn, within QUEUE_MS_MAX; a connection on which something stayed unanswered is destroyed, never used again; when the server is back, new
 * connections are made as they are asked for. Each connection is set to what the store relies on before its first use.
 */
import { setImmediate } from 'node:timers/promises';
import { createPool, type Pool, type PoolConnection, type ResultSetHeader } from 'mysql2/promise';
import { textOf } from './literals.js';
import { faultOf, type MysqlPlace, noFreeConnection, storeClosed, storeFull } from './mysql-faults.js';
import { isConnectionLost, spoilsConnection, takesNoWrites } from './server-errors.js';
import type { Session } from './session.js';
import type { Statement } from './statements.js';

export interface ConnectionsOptions extends MysqlPlace {
  readonly password: string;
  readonly poolSize: number;
  /** Time for a connection to be made, or for any to become free. */
  readonly connectMs: number;
  /** Time for one statement. */
  readonly queryMs: number;
}

export interface UseOptions {
  /** Time for one statement, if not queryMs. */
  readonly queryMs?: number;
  readonly connectMs?: number;
}

/** Pieces of work under way or waiting for a connection; each is soon done or soon refused. */
const WORK_MAX = 10_000;

/** Time for a turn while others get theirs: logins and replays wait behind each other then, and clients for them. */
const QUEUE_MS_MAX = 10_000;

/** A lock of another transaction is given up before the statement's deadline, so that the connection survives it. */
const LOCK_WAIT_SHARE = 0.6;

/** What a process that froze or whose machine is gone had locked is free after this. Idle connections end with it too. */
const IDLE_SECONDS = 60;

export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #pool: Pool;
  /** What is known of the connections that are set up. */
  readonly #packetBytes = new WeakMap<object, number>();
  #work = 0;
  /** When work on a connection ended well, ms of the process: the server is there, so who waits stands in a queue. */
  #soundAt = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(options: ConnectionsOptions) {
    const { host, port, user, password, database, poolSize, connectMs } = options;
    this.#options = options;
    this.#pool = createPool({
      host,
      port,
      user,
      password,
      database,
      charset: 'utf8mb4_bin',
      connectionLimit: poolSize,
      connectTimeout: connectMs,
      supportBigNumbers: true,
      bigNumberStrings: true,
      enableKeepAlive: true,
    });
  }

  get place(): MysqlPlace {
    return this.#options;
  }

  /**
   * One connection for a piece of work that may be done twice: on a connection that was lost, perhaps while nobody used it, or
   * whose server takes no changes any more, it is done once more. Rejects with a SpushError.
   */
  async use<T>(work: (session: Session) => Promise<T>, options: UseOptions = {}): Promise<T> {
    try {
      return await this.useRaw(work, options).catch((error: unknown) => {
        if (!isConnectionLost(error) && !takesNoWrites(error)) throw error;
        return this.useRaw(work, options);
      });
    } catch (error) {
      throw faultOf(this.#options, error);
    }
  }

  /** Once, and with the driver's own errors, for those who decide what to do about them. */
  async useRaw<T>(work: (session: Session) => Promise<T>, options: UseOptions = {}): Promise<T> {
    if (this.#closed) throw storeClosed(this.#options);
    const { queryMs = this.#options.queryMs, connectMs = this.#options.connectMs } = options;
    if (this.#work >= WORK_MAX) throw storeFull(this.#options, this.#work, 0);
    this.#work += 1;
    try {
      return await this.#useOne(work, connectMs, queryMs);
    } finally {
      this.#work -= 1;
    }
  }

  async #useOne<T>(work: (session: Session) => Promise<T>, connectMs: number, queryMs: number): Promise<T> {
    const connection = await this.#acquire(connectMs);
    let sound = false;
    try {
      const result = await work(await this.#session(connection, queryMs));
      sound = true;
      return result;
    } catch (error) {
      sound = !spoilsConnection(error);
      throw error;
    } finally {
      if (sound) {
        this.#soundAt = performance.now();
        connection.release();
      } else connection.destroy();
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // A farewell that fails, of a connection that was just being made, ends it all the same. A server that does not take it
    // is not waited for; what is open then ends with the process.
    await within(this.#pool.end().catch(nothingLeftToDo), this.#options.queryMs);
  }

  async #acquire(connectMs: number): Promise<PoolConnection> {
    const asked = this.#pool.getConnection();
    const begunAt = performance.now();
    for (let waitMs = connectMs; waitMs > 0; ) {
      const connection = await within(asked, waitMs);
      if (connection !== LATE) return connection;
      // In a process that was busy timers come before what the server has said meanwhile.
      await setImmediate();
      waitMs = Math.min(this.#soundAt + connectMs, begunAt + QUEUE_MS_MAX) - performance.now();
    }
    // The one who asked is told by the error below.
    asked.then((unused) => unused.release(), nothingLeftToDo);
    throw noFreeConnection(this.#options, Math.round(performance.now() - begunAt), this.#options.poolSize);
  }

  async #session(connection: PoolConnection, queryMs: number): Promise<Session> {
    const send = async (text: string): Promise<unknown> => {
      const [result] = await connection.query({ sql: text, timeout: queryMs });
      return result;
    };
    let packetBytesMax = this.#packetBytes.get(connection.connection);
    if (packetBytesMax === undefined) {
      const lockSeconds = Math.max(1, Math.floor((this.#options.queryMs * LOCK_WAIT_SHARE) / 1000));
      await send(
        `SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO',
           innodb_lock_wait_timeout = ${lockSeconds}, wait_timeout = ${IDLE_SECONDS}, autocommit = 1`,
      );
      await send('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED');
      const [row] = (await send('SELECT @@max_allowed_packet AS bytes')) as { bytes: string }[];
      packetBytesMax = Number(row?.bytes);
      this.#packetBytes.set(connection.connection, packetBytesMax);
    }
    return {
      packetBytesMax,
      // What a SELECT yields is believed to match the type beside it, here and nowhere else.
      rows: async <Row>(statement: Statement) => (await send(textOf(statement))) as Row[],
      run: async (statement: Statement) => ((await send(textOf(statement))) as ResultSetHeader).affectedRows,
      exec: async (text: string) => {
        await send(text);
      },
    };
  }
}

const LATE = Symbol('late');

/** What came in time, or LATE: then the caller lets go of what still comes. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | typeof LATE> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(() => resolve(LATE), ms);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

function nothingLeftToDo(): void {}
