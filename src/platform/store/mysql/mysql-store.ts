/**
 * The message store of several nodes: MySQL 8 or MariaDB 10.6 and later, through mysql2.
 *
 * This file turns the contract's calls into those of its parts: changes go through one queue in the order they were called and
 * share transactions (write-queue.ts, group-commit.ts); reads use the other connections, after the changes called before
 * them. Deadlines are in connections.ts, what is asked of the tables in accept.ts, marks.ts, pending.ts, inbox.ts and
 * upkeep.ts, every error text in mysql-faults.ts.
 */
import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import type { Clock } from '../../../shared/base/clock.js';
import { isSpushError } from '../../../shared/base/errors.js';
import type { Kind } from '../../../shared/domain/kind.js';
import type {
  MessageFacts,
  MessageItem,
  MessageStatus,
  NewMessage,
  ReadMark,
  UnreadCounts,
  UserBacklog,
} from '../../../shared/domain/message.js';
import { isMessageId, type MessageId, type MessageIdSource } from '../../../shared/domain/message-id.js';
import type { Log } from '../../log/log.js';
import { seldomLog } from '../../log/seldom-log.js';
import { assertLimit, assertTime, assertUser, kindNumbers, pendingArgs } from '../call-arguments.js';
import { weightOf, weightOfRows } from '../call-weight.js';
import { fullPages } from '../full-pages.js';
import { KIND_NUMBER } from '../kind-number.js';
import type { Accepted, ListedItem, ListQuery, PendingQuery, SentMark } from '../message-store.js';
import type { AcceptAttempt, SpillTarget, TakeIn, TakenIn } from '../spill/spill-target.js';
import { Connections } from './connections.js';
import { GroupCommit } from './group-commit.js';
import { listOf, unreadOf } from './inbox.js';
import { inspectOf, pendingCountsOf } from './inspect.js';
import { migrate } from './migrate.js';
import type { Migration } from './migrations/migration.js';
import { isAway, isOfOneCall, type MysqlPlace, startFault, storeClosed } from './mysql-faults.js';
import { pendingOf } from './pending.js';
import { checkSchema } from './schema-check.js';
import { SeparableIds } from './separable-ids.js';
import type { Session } from './session.js';
import { written } from './statements.js';
import { countPending, pruneExpired, statusOf, writeProbe } from './upkeep.js';
import { WriteQueue } from './write-queue.js';

const ID_MAX = (2n ** 63n - 1n).toString() as MessageId;

/** Readiness is asked every few seconds and wants to know soon. */
const PROBE_CONNECT_MS = 700;
const PROBE_QUERY_MS = 900;
/** Changing a table of millions of rows takes longer than any other statement. */
const MIGRATE_QUERY_MS = 30_000;
/** How long a start waits for another one that makes the tables. */
const MIGRATE_LOCK_SECONDS = 20;

export interface MysqlStoreOptions extends MysqlPlace {
  readonly password: string;
  readonly poolSize: number;
  readonly connectMs: number;
  readonly queryMs: number;
  readonly ids: MessageIdSource;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether tables may be made and changed (default), or must be as they should. */
  readonly create?: boolean;
  /** So many calls were answered together. */
  readonly onGroup?: (calls: number) => void;
  /** For tests of the schema. */
  readonly migrations?: readonly Migration[];
}

/** Resolves when the store keeps messages; rejects with START_FAILED or STORE_SCHEMA_NEWER, saying what to do. */
export async function openMysqlStore(options: MysqlStoreOptions): Promise<SpillTarget> {
  const { host, port, user, database, log } = options;
  const place = { host, port, user, database };
  try {
    const highest = await prepareDatabase(place, options);
    const ids = new SeparableIds(options.ids, options.clock, Math.random);
    ids.raiseTo(highest);
    log.info('store.opened', { host, port, database });
    return new MysqlStore(ids, options);
  } catch (error) {
    throw startFault(place, error);
  }
}

/** Over a connection of its own, with time for changing large tables. Answers the highest id that is stored. */
async function prepareDatabase(place: MysqlPlace, options: MysqlStoreOptions): Promise<bigint> {
  const { create = true, migrations } = options;
  const connections = new Connections({ ...options, poolSize: 1, queryMs: MIGRATE_QUERY_MS });
  try {
    return await connections.useRaw(async (session) => {
      const lockSeconds = MIGRATE_LOCK_SECONDS;
      await migrate(session, { place, create, lockSeconds, ...(migrations ? { migrations } : {}) });
      await checkSchema(session, place);
      return highestId(session);
    });
  } finally {
    await connections.close();
  }
}

async function highestId(session: Session): Promise<bigint> {
  const [row] = await session.rows<{ id: string | null }>(
    written(sql`SELECT MAX(id) AS id FROM spush_message`),
  );
  return BigInt(row?.id ?? 0);
}

class MysqlStore implements SpillTarget {
  readonly spilled = null;
  /** For all but changes. */
  readonly #connections: Connections;
  /** One connection that no read can take, however many there are. */
  readonly #changing: Connections;
  readonly #queue: WriteQueue;
  readonly #ids: MessageIdSource;
  readonly #clock: Clock;
  readonly #place: MysqlPlace;
  /** For what could be said of every row. */
  readonly #log: Pick<Log, 'warn'>;
  /** Names this store among the writers: 63 bits, so that none is negative anywhere. */
  readonly #owner = randomBytes(8).readBigUInt64BE() >> 1n;
  /** Reads under way, for close. */
  readonly #reads = new Set<Promise<unknown>>();
  #closed: Promise<void> | null = null;

  constructor(ids: SeparableIds, options: MysqlStoreOptions) {
    const { clock, connectMs, queryMs, log, onGroup } = options;
    this.#connections = new Connections({ ...options, poolSize: Math.max(1, options.poolSize - 1) });
    this.#changing = new Connections({ ...options, poolSize: 1 });
    this.#ids = ids;
    this.#clock = clock;
    this.#log = seldomLog(log, clock);
    this.#place = this.#connections.place;
    const commit = new GroupCommit({
      connections: this.#changing,
      owner: this.#owner,
      clock,
      random: Math.random,
      retryMs: connectMs + queryMs,
      onIdTaken: () => {
        log.warn('store.id_taken', {});
        ids.separate();
      },
    });
    this.#queue = new WriteQueue({
      commit,
      context: { ids, place: this.#place },
      log,
      ...(onGroup ? { onGroup } : {}),
    });
  }

  async accept(messages: readonly NewMessage[], attempt?: AcceptAttempt): Promise<Accepted[]> {
    this.#assertOpen();
    if (messages.length === 0) return [];
    const args = { messages, now: this.#clock.now(), ...(attempt ? { attempt } : {}) };
    return this.#queue.call('accept', args, weightOf(messages));
  }

  newIds(count: number): BigInt64Array {
    return BigInt64Array.from({ length: count }, () => this.#ids.next());
  }

  async takeIn({ messages, receipts }: TakeIn): Promise<TakenIn> {
    this.#assertOpen();
    const texts = messages.reduce((sum, { body }) => sum + body.length, 0);
    const bytes = weightOfRows(messages.length).bytes + texts;
    const weight = { rows: messages.length + receipts.length, bytes };
    return this.#queue.call('takeIn', { messages, receipts, now: this.#clock.now() }, weight);
  }

  isAway(error: unknown): boolean {
    return isSpushError(error) && isAway(error);
  }

  isRefusal(error: unknown): boolean {
    return isSpushError(error) && error.code !== 'STORE_BUSY' && isOfOneCall(error);
  }

  async pending(uid: number, query: PendingQuery): Promise<MessageItem[]> {
    const found = await this.pendingForMany([uid], query);
    return found.get(uid) ?? [];
  }

  async pendingForMany(uids: readonly number[], query: PendingQuery): Promise<Map<number, MessageItem[]>> {
    const now = this.#clock.now();
    return this.#read((session) =>
      fullPages(uids, query, (some, page) => pendingOf(session, pendingArgs(some, page, now), this.#log)),
    );
  }

  async markSent(marks: readonly SentMark[], at: number): Promise<void> {
    this.#assertOpen();
    if (marks.length === 0) return;
    for (const { uid } of marks) assertUser(uid);
    await this.#queue.call('markSent', { marks, at: assertTime(at) }, weightOfRows(marks.length));
  }

  async ack(uid: number, ids: readonly MessageId[], at: number): Promise<number> {
    this.#assertOpen();
    assertUser(uid);
    return this.#queue.call('ack', { uid, ids, at: assertTime(at) }, weightOfRows(ids.length));
  }

  async read(uid: number, mark: ReadMark, at: number): Promise<number> {
    this.#assertOpen();
    assertUser(uid);
    assertTime(at);
    if ('ids' in mark)
      return this.#queue.call('readIds', { uid, ids: mark.ids, at }, weightOfRows(mark.ids.length));
    const kinds = kindNumbers('kind' in mark ? mark.kind : undefined);
    return this.#queue.call('readKinds', { uid, kinds, at, now: this.#clock.now() }, weightOfRows(1));
  }

  async list(uid: number, query: ListQuery): Promise<{ items: ListedItem[]; next: MessageId | null }> {
    assertUser(uid);
    const args = {
      uid,
      kinds: kindNumbers(query.kind),
      unread: query.unread === true,
      cursor: query.cursor ?? ID_MAX,
      limit: assertLimit(query.limit),
      now: this.#clock.now(),
    };
    return this.#read((session) => listOf(session, args, this.#log));
  }

  async unread(uid: number): Promise<UnreadCounts> {
    assertUser(uid);
    const now = this.#clock.now();
    return this.#read((session) => unreadOf(session, { uid, now }));
  }

  async status(id: MessageId): Promise<MessageStatus | null> {
    if (!isMessageId(id)) return null;
    const now = this.#clock.now();
    return this.#read((session) => statusOf(session, id, now));
  }

  async inspect(id: MessageId): Promise<MessageFacts | null> {
    if (!isMessageId(id)) return null;
    const now = this.#clock.now();
    return this.#read((session) => inspectOf(session, id, now));
  }

  async backlog(uid: number): Promise<UserBacklog> {
    assertUser(uid);
    const now = this.#clock.now();
    return this.#read((session) => pendingCountsOf(session, { uid, now }));
  }

  async release(kind: Kind, at: number): Promise<void> {
    this.#assertOpen();
    await this.#queue.call('release', { kind: KIND_NUMBER[kind], at: assertTime(at) }, weightOfRows(1));
  }

  async prune(expiredBefore: number, limit: number): Promise<number> {
    const args = {
      database: this.#place.database,
      expiredBefore: assertTime(expiredBefore),
      limit: assertLimit(limit),
      now: this.#clock.now(),
    };
    return this.#read((session) => pruneExpired(session, args));
  }

  async pendingCount(): Promise<number> {
    return this.#read(countPending);
  }

  /** Does not wait for changes: it asks the server, not the queue. */
  async probe(): Promise<void> {
    this.#assertOpen();
    const at = this.#clock.now();
    await this.#underWay(
      this.#connections.use((session) => writeProbe(session, this.#owner, at), {
        connectMs: PROBE_CONNECT_MS,
        queryMs: PROBE_QUERY_MS,
      }),
    );
  }

  close(): Promise<void> {
    this.#closed ??= this.#finish();
    return this.#closed;
  }

  async #finish(): Promise<void> {
    await this.#queue.idle();
    await Promise.allSettled(this.#reads);
    await Promise.all([this.#changing.close(), this.#connections.close()]);
  }

  /** After the changes called before it. */
  #read<T>(work: (session: Session) => Promise<T>): Promise<T> {
    this.#assertOpen();
    return this.#underWay(this.#queue.settled().then(() => this.#connections.use(work)));
  }

  async #underWay<T>(call: Promise<T>): Promise<T> {
    this.#reads.add(call);
    try {
      return await call;
    } finally {
      this.#reads.delete(call);
    }
  }

  #assertOpen(): void {
    if (this.#closed !== null) throw storeClosed(this.#place);
  }
}
