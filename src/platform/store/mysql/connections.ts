/**
 * The connections of one process, with a deadline on everything.
 *
 * Promises: nobody waits for a server that is dead or silent longer than connectMs for a connection and queryMs for a statement;
 * when there are more calls than connections (a thousand users log in at once) each has its turn, within QUEUE_MS_MAX; a
 * connection on which something stayed unanswered, or which was answered that the server takes no changes, is destroyed and
 * never used again; when the server is back, new connections are made as they are asked for. Each connection is set to what
 * the store relies on before its first use (session-settings.ts), and asked now and then whether its server was demoted:
 * an address may move to another server while old connections stay, and reads from a replica would not even fail.
 */
import { setImmediate } from 'node:timers/promises';
import { createPool, type Pool, type PoolConnection, type ResultSetHeader } from 'mysql2/promise';
import { type Clock, type Moment, msBetween, msLater, msSince } from '../../../shared/base/clock.js';
import type { SpushError } from '../../../shared/base/errors.js';
import { textOf } from './literals.js';
import {
  faultOf,
  isUnfit,
  type MysqlPlace,
  noFreeConnection,
  storeClosed,
  storeFull,
} from './mysql-faults.js';
import { isConnectionLost, spoilsConnection, takesNoWrites } from './server-errors.js';
import type { Session } from './session.js';
import { askAgain, type SessionFacts, setUpSession } from './session-settings.js';
import type { Statement } from './statements.js';

export interface ConnectionsOptions extends MysqlPlace {
  readonly password: string;
  readonly poolSize: number;
  /** Time for a connection to be made, or for any to become free. */
  readonly connectMs: number;
  /** Time for one statement. */
  readonly queryMs: number;
  readonly clock: Pick<Clock, 'moment'>;
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

/** A connection that was not asked for so long is asked whether its server still takes changes, before it is used. */
const ASKED_MS = 1_000;

/** After a new connection was found unfit, calls fail with the same for so long: a server that only reads is not flooded. */
const UNFIT_MS = 200;

/** What is known of a connection that was set up. */
interface Known extends SessionFacts {
  askedAt: Moment;
}

export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #pool: Pool;
  /** By the driver's connection, those that are set up. */
  readonly #known = new WeakMap<object, Known>();
  #work = 0;
  /** When work on a connection ended well: the server is there, so who waits stands in a queue. */
  #soundAt: Moment | null = null;
  /** The last new connection that was not fit for use. */
  #unfit: { readonly at: Moment; readonly fault: SpushError } | null = null;
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
    const { connection, session } = await this.#fitConnection(connectMs, queryMs);
    let sound = false;
    try {
      const result = await work(session);
      sound = true;
      return result;
    } catch (error) {
      sound = !spoilsConnection(error);
      throw error;
    } finally {
      if (sound) {
        this.#soundAt = this.#options.clock.moment();
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

  /** One that is set up and whose server takes changes. Old ones that are not are replaced; a new one that is not is the answer. */
  async #fitConnection(
    connectMs: number,
    queryMs: number,
  ): Promise<{ readonly connection: PoolConnection; readonly session: Session }> {
    for (;;) {
      const { at, fault } = this.#unfit ?? {};
      if (at !== undefined && msSince(this.#options.clock, at) < UNFIT_MS) throw fault;
      const connection = await this.#acquire(connectMs);
      const known = this.#known.get(connection.connection);
      try {
        return { connection, session: await this.#session(connection, queryMs) };
      } catch (error) {
        connection.destroy();
        const stale = isConnectionLost(error) || isUnfit(error) || takesNoWrites(error);
        if (known !== undefined && stale) continue;
        if (isUnfit(error)) this.#unfit = { at: this.#options.clock.moment(), fault: error };
        throw error;
      }
    }
  }

  async #acquire(connectMs: number): Promise<PoolConnection> {
    const { clock } = this.#options;
    const asked = this.#pool.getConnection();
    const begunAt = clock.moment();
    for (let waitMs = connectMs; waitMs > 0; ) {
      const connection = await within(asked, waitMs);
      if (connection !== LATE) return connection;
      // In a process that was busy timers come before what the server has said meanwhile.
      await setImmediate();
      if (this.#soundAt === null) break;
      const now = clock.moment();
      const untilSound = msBetween(now, msLater(this.#soundAt, connectMs));
      waitMs = Math.min(untilSound, msBetween(now, msLater(begunAt, QUEUE_MS_MAX)));
    }
    // The one who asked is told by the error below.
    asked.then((unused) => unused.release(), nothingLeftToDo);
    throw noFreeConnection(this.#options, Math.round(msSince(clock, begunAt)), this.#options.poolSize);
  }

  async #session(connection: PoolConnection, queryMs: number): Promise<Session> {
    const { clock } = this.#options;
    const send = async (text: string): Promise<unknown> => {
      const [result] = await connection.query({ sql: text, timeout: queryMs });
      return result;
    };
    const asking = {
      // What a SELECT yields is believed to match the type beside it, here and nowhere else.
      rows: async <Row>(statement: Statement) => (await send(textOf(statement))) as Row[],
      run: async (statement: Statement) => ((await send(textOf(statement))) as ResultSetHeader).affectedRows,
      exec: async (text: string) => {
        await send(text);
      },
    };
    let known = this.#known.get(connection.connection);
    if (known === undefined) {
      const facts = await setUpSession(asking, this.#options, this.#options.queryMs);
      known = { ...facts, askedAt: clock.moment() };
      this.#known.set(connection.connection, known);
    } else if (msSince(clock, known.askedAt) > ASKED_MS) {
      await askAgain(asking, this.#options, known);
      known.askedAt = clock.moment();
    }
    return { packetBytesMax: known.packetBytesMax, ...asking };
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
