/**
 * Runs a group of changes as one transaction, again where that can do no harm.
 *
 * - A deadlock, a lock waited for too long, or a unique key met by another process at the same moment: the transaction is taken
 *   back whole, so it is simply done again.
 * - A connection lost before COMMIT was sent: the server takes the transaction back, and it is done again on another one.
 * - A connection lost during COMMIT: nobody knows whether it was kept. Each transaction therefore writes its number into a row
 *   of this process (spush_writer). Reading that row with a lock waits until the lost transaction has ended one way or the
 *   other, and then says which: kept, and what was worked out is answered; not kept, and it is done again. When the row cannot
 *   be read in time the calls fail with STORE_UNAVAILABLE, never with success; a caller that repeats its call with its own
 *   ids then finds what was kept.
 * - A statement that had no answer in its time is not tried again: the time of the callers is over too.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { SpushError } from '../../../shared/base/errors.js';
import type { Connections } from './connections.js';
import {
  commitUnknown,
  duplicateKey,
  faultOf,
  isConnectionLost,
  isContention,
  serverCode,
  spoilsConnection,
  stillContended,
} from './mysql-faults.js';
import type { Session } from './session.js';
import { build, written } from './statements.js';

/** Every deadlock means that another transaction went on, so few are ever needed. */
const TRIES_MAX = 12;
/** Pause before a try: up to this, times the tries so far, so that rivals do not meet again in step. */
const PAUSE_MS = 8;

/** Which of a process's rows in spush_writer. */
export const GROUPS = 0;
export const PROBES = 1;

export interface GroupCommitOptions {
  readonly connections: Connections;
  /** Names this process among the writers. */
  readonly owner: bigint;
  readonly now: () => number;
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
    const { connections, retryMs } = this.#options;
    const startedMs = performance.now();
    for (let tries = 1; ; tries += 1) {
      this.#number += 1;
      const attempt = new Attempt(work);
      try {
        return await connections.useRaw((session) => attempt.run(session, this.#mark()));
      } catch (error) {
        if (attempt.isInDoubt(error)) {
          if (await this.#wasKept(error, startedMs)) return attempt.result();
        } else if (!this.#mayRetry(error)) {
          throw faultOf(connections.place, error);
        }
        if (tries >= TRIES_MAX || (tries > 1 && performance.now() - startedMs > retryMs))
          throw this.#givenUp(tries, error);
        await sleep(this.#options.random() * PAUSE_MS * tries);
      }
    }
  }

  #mark() {
    const row = { owner: this.#options.owner, part: GROUPS, number: this.#number, at: this.#options.now() };
    return build
      .insertInto('spush_writer')
      .values(row)
      .onDuplicateKeyUpdate({ number: row.number, at: row.at })
      .compile();
  }

  async #wasKept(lost: unknown, startedMs: number): Promise<boolean> {
    const { connections, owner, retryMs } = this.#options;
    const question = written(
      sql`SELECT number FROM spush_writer WHERE owner = ${owner} AND part = ${GROUPS} FOR UPDATE`,
    );
    for (;;) {
      try {
        const [row] = await connections.useRaw((session) => session.rows<{ number: string }>(question));
        return Number(row?.number) === this.#number;
      } catch (error) {
        if (performance.now() - startedMs > retryMs) throw commitUnknown(connections.place, lost);
        if (!isContention(error) && !isConnectionLost(error)) throw commitUnknown(connections.place, error);
        await sleep(ASK_AGAIN_MS);
      }
    }
  }

  #mayRetry(error: unknown): boolean {
    const key = duplicateKey(error);
    if (key === 'PRIMARY') this.#options.onIdTaken();
    return key !== null || isContention(error) || isConnectionLost(error);
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

  async run(
    session: Session,
    mark: { readonly sql: string; readonly parameters: readonly unknown[] },
  ): Promise<T> {
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

  /** COMMIT was sent, and what came back does not say that it was refused. */
  isInDoubt(error: unknown): boolean {
    if (this.#worked === null) return false;
    return serverCode(error) === null || isConnectionLost(error);
  }

  result(): T {
    if (this.#worked === null) throw new TypeError('there is no result before the commit');
    return this.#worked.result;
  }
}
