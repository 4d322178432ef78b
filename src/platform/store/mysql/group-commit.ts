/**
 * Runs a group of changes as one transaction, again where that can do no harm.
 *
 * - Contention (a deadlock, a lock waited for too long, a statement that the server ended for its length) or a unique key met by
 *   another process at the same moment: the transaction is taken back whole, so it is simply done again, after a pause that
 *   grows and is drawn by chance, until the time of the callers is over. The server is alive, so this never counts as its absence before.
 * - A connection lost before COMMIT was sent, or a server that says it takes no changes: the transaction is gone, and it is
 *   done again on another connection, which is asked first.
 * - A connection lost during COMMIT, or an answer that does not say that nothing was kept: nobody knows. Each transaction
 *   therefore writes its number into a row of this process (spush_writer). Reading that row with a lock waits until the lost
 *   transaction has ended one way or the other, and then says which: kept, and what was worked out is answered; not kept, and
 *   it is done again. When the row cannot be read in time the calls fail with STORE_UNAVAILABLE, never with success; a caller
 *   that repeats its call with its own ids then finds what was kept.
 * - A statement that had no answer in its time is not tried again: the time of the callers is over too.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { type Clock, type Moment, msSince } from '../../../shared/base/clock.js';
import type { SpushError } from '../../../shared/base/errors.js';
import type { Connections } from './connections.js';
import { commitUnknown, faultOf, isUnfit, stillContended } from './mysql-faults.js';
import {
  duplicateKey,
  isConnectionLost,
  isContention,
  refusesCommit,
  spoilsConnection,
  takesNoWrites,
} from './server-errors.js';
import type { Session } from './session.js';
import { build, type Statement, written } from './statements.js';
import { GROUPS } from './writer-rows.js';

/** A server that is not there is not tried more often: whoever waits wants to know soon. */
const LOST_TRIES_MAX = 12;
/** Pause before a try: by chance up to this, doubled with each try up to the second number, so that rivals do not meet in step. */
const PAUSE_MS = 4;
const PAUSE_MS_MAX = 128;

export interface GroupCommitOptions {
  readonly connections: Pick<Connections, 'useRaw' | 'place'>;
  /** Names this process among the writers. */
  readonly owner: bigint;
  readonly clock: Clock;
  /** 0 … 1, as Math.random */
  readonly random: () => number;
  /** New tries begin within this time of the first. */
  readonly retryMs: number;
  /** An id just made stands in the tables already, for another message. */
  readonly onIdTaken: () => void;
}

export class GroupCommit {
  readonly #options: GroupCommitOptions;
  #number = 0;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
  }

  /** One at a time. Rejects with a SpushError; then nothing was changed, unless it says that nobody knows. */
  async run<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const { connections, clock } = this.#options;
    const begunAt = clock.moment();
    for (let tries = 1; ; tries += 1) {
      this.#number += 1;
      const attempt = new Attempt(work);
      try {
        return await connections.useRaw((session) => attempt.run(session, this.#mark()));
      } catch (error) {
        if (attempt.isInDoubt(error)) {
          if (await this.#wasKept(error, begunAt)) return attempt.result();
        } else if (!this.#mayRetry(error)) {
          throw faultOf(connections.place, error);
        }
        if (this.#isOver(error, tries, begunAt)) throw this.#givenUp(tries, error);
        await sleep(this.#pauseMs(tries));
      }
    }
  }

  #mark(): Statement {
    const { owner, clock } = this.#options;
    const row = { owner, part: GROUPS, number: this.#number, at: clock.now() };
    return build
      .insertInto('spush_writer')
      .values(row)
      .onDuplicateKeyUpdate({ number: row.number, at: row.at })
      .compile();
  }

  async #wasKept(lost: unknown, begunAt: Moment): Promise<boolean> {
    const { connections, owner, clock, retryMs } = this.#options;
    const question = written(
      sql`SELECT number FROM spush_writer WHERE owner = ${owner} AND part = ${GROUPS} FOR UPDATE`,
    );
    for (;;) {
      try {
        const [row] = await connections.useRaw((session) => session.rows<{ number: string }>(question));
        return Number(row?.number) === this.#number;
      } catch (error) {
        if (msSince(clock, begunAt) > retryMs) throw commitUnknown(connections.place, lost);
        const soon = isContention(error) || isConnectionLost(error) || takesNoWrites(error) || isUnfit(error);
        if (!soon) throw commitUnknown(connections.place, error);
        await sleep(ASK_AGAIN_MS);
      }
    }
  }

  #mayRetry(error: unknown): boolean {
    const key = duplicateKey(error);
    if (key === 'PRIMARY') this.#options.onIdTaken();
    return key !== null || isContention(error) || isConnectionLost(error) || takesNoWrites(error);
  }

  /** A second try is always made: the first may have used up the time by finding out that the connection was old. */
  #isOver(error: unknown, tries: number, begunAt: Moment): boolean {
    if (tries > 1 && msSince(this.#options.clock, begunAt) > this.#options.retryMs) return true;
    return tries >= LOST_TRIES_MAX && (isConnectionLost(error) || takesNoWrites(error));
  }

  #pauseMs(tries: number): number {
    return this.#options.random() * Math.min(PAUSE_MS_MAX, PAUSE_MS * 2 ** tries);
  }

  #givenUp(tries: number, error: unknown): SpushError {
    const { place } = this.#options.connections;
    if (isContention(error) || duplicateKey(error) !== null) return stillContended(place, tries, error);
    return faultOf(place, error);
  }
}

/** How often a server that is coming back is asked about a lost commit. */
const ASK_AGAIN_MS = 100;

class Attempt<T> {
  readonly #work: (session: Session) => Promise<T>;
  #worked: { readonly result: T } | null = null;

  constructor(work: (session: Session) => Promise<T>) {
    this.#work = work;
  }

  async run(session: Session, mark: Statement): Promise<T> {
    await session.exec('START TRANSACTION');
    try {
      const result = await this.#work(session);
      await session.run(mark);
      this.#worked = { result };
    } catch (error) {
      if (!spoilsConnection(error)) await session.exec('ROLLBACK');
      throw error;
    }
    await session.exec('COMMIT');
    return this.#worked.result;
  }

  /** COMMIT was sent, and what came back does not say that nothing was kept. */
  isInDoubt(error: unknown): boolean {
    return this.#worked !== null && !refusesCommit(error);
  }

  result(): T {
    if (this.#worked === null) throw new TypeError('there is no result before the commit');
    return this.#worked.result;
  }
}
