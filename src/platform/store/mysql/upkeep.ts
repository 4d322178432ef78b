/** What the rest asks: the state of one message, deleting what is over, counting, probing. */
import { sql } from 'kysely';
import type { MessageStatus } from '../../../shared/domain/message.js';
import type { MessageId } from '../../../shared/domain/message-id.js';
import { EVERYBODY, kindOf } from '../kind-number.js';
import { stateOf } from '../message-facts.js';
import { OPEN } from './message-rows.js';
import { isContention, spoilsConnection } from './server-errors.js';
import { withServerLock } from './server-lock.js';
import type { Session } from './session.js';
import { build, chunksOf, written } from './statements.js';
import { PROBES } from './writer-rows.js';

/** Rows deleted by one transaction: short enough that nobody waits for its locks. */
const DELETE_ROWS = 500;
/** Receipts of one notice deleted by one statement. */
const DELETE_RECEIPTS = 5_000;
/** Of one slice, against deadlocks with those who acknowledge. */
const TRIES_MAX = 5;
/** A process that wrote nothing for so long is gone; one that is not writes its row anew. */
const WRITER_KEPT_MS = 86_400_000;

interface StatusRow {
  readonly kind: number;
  readonly uid: string;
  readonly due: string;
  readonly created_at: string;
  readonly expires_at: string;
  readonly sent_at: string | null;
  readonly acked_at: string | null;
  readonly read_at: string | null;
}

interface ReceiptsRow {
  readonly sent: string;
  readonly acked: string;
  readonly read_by: string;
  readonly sent_at: string | null;
  readonly acked_at: string | null;
  readonly read_at: string | null;
}

export async function statusOf(session: Session, id: MessageId, now: number): Promise<MessageStatus | null> {
  const [row] = await session.rows<StatusRow>(
    build
      .selectFrom('spush_message')
      .select(['kind', 'uid', 'due', 'created_at', 'expires_at', 'sent_at', 'acked_at', 'read_at'])
      .where('id', '=', BigInt(id))
      .compile(),
  );
  if (row === undefined) return null;
  const expiresAt = Number(row.expires_at);
  const common = {
    id,
    kind: kindOf(row.kind),
    deliver: Number(row.due) === 0 ? 'now' : 'cron',
    createdAt: Number(row.created_at),
    expiresAt,
  } as const;
  const uid = Number(row.uid);
  if (uid !== EVERYBODY) {
    const times = timesOf(row);
    return { ...common, uid, state: stateOf(times, expiresAt <= now), ...times };
  }
  const [receipts] = await session.rows<ReceiptsRow>(
    written(sql`
      SELECT COUNT(*) AS sent, COUNT(acked_at) AS acked, COUNT(read_at) AS read_by,
        MIN(sent_at) AS sent_at, MIN(acked_at) AS acked_at, MIN(read_at) AS read_at
      FROM spush_receipt FORCE INDEX (PRIMARY) WHERE message_id = ${BigInt(id)}`),
  );
  const times = timesOf(receipts ?? { sent_at: null, acked_at: null, read_at: null });
  const counts = {
    sent: Number(receipts?.sent ?? 0),
    acked: Number(receipts?.acked ?? 0),
    read: Number(receipts?.read_by ?? 0),
  };
  return { ...common, uid: null, state: stateOf(times, expiresAt <= now), ...times, receipts: counts };
}

type Times = Pick<MessageStatus, 'sentAt' | 'ackedAt' | 'readAt'>;

function timesOf(row: Pick<StatusRow, 'sent_at' | 'acked_at' | 'read_at'>): Times {
  const time = (text: string | null) => (text === null ? null : Number(text));
  return { sentAt: time(row.sent_at), ackedAt: time(row.acked_at), readAt: time(row.read_at) };
}

/** Costs what is counted: some 300 ms a million. Above what fits into queryMs it fails, and harms nothing. */
export async function countPending(session: Session): Promise<number> {
  const [row] = await session.rows<{ count: string }>(
    written(sql`
      SELECT COUNT(*) AS count FROM spush_message FORCE INDEX (spush_message_state)
      WHERE state = ${OPEN} AND uid > ${EVERYBODY}`),
  );
  return Number(row?.count ?? 0);
}

/** Writes and commits; a server that takes no changes fails it. */
export async function writeProbe(session: Session, owner: bigint, at: number): Promise<void> {
  await session.run(
    build
      .insertInto('spush_writer')
      .values({ owner, part: PROBES, number: 0, at })
      .onDuplicateKeyUpdate({ at })
      .compile(),
  );
}

interface ExpiredRow {
  readonly id: string;
  readonly uid: string;
  readonly body_id: string;
}

interface PruneArgs {
  readonly database: string;
  readonly expiredBefore: number;
  readonly limit: number;
  readonly now: number;
}

/**
 * One process of all nodes at a time; for the others there is nothing to do. The lock goes with the connection, so a process
 * that dies does not keep it. Each slice is a transaction of its own: what was deleted before a fault stays deleted.
 */
export async function pruneExpired(session: Session, args: PruneArgs): Promise<number> {
  const lock = { purpose: 'prune', database: args.database, seconds: 0 };
  const pruned = await withServerLock(session, lock, () => pruneSlices(session, args));
  return pruned?.value ?? 0;
}

async function pruneSlices(session: Session, { expiredBefore, limit, now }: PruneArgs): Promise<number> {
  let pruned = 0;
  while (pruned < limit) {
    const rows = await session.rows<ExpiredRow>(
      written(sql`
        SELECT id, uid, body_id FROM spush_message FORCE INDEX (spush_message_expires)
        WHERE expires_at <= ${expiredBefore} ORDER BY expires_at LIMIT ${sql.lit(Math.min(DELETE_ROWS, limit - pruned))}`),
    );
    if (rows.length === 0) break;
    await pruneRows(session, rows);
    pruned += rows.length;
  }
  await session.run(
    build
      .deleteFrom('spush_writer')
      .where('at', '<', now - WRITER_KEPT_MS)
      .compile(),
  );
  return pruned;
}

async function pruneRows(session: Session, rows: readonly ExpiredRow[]): Promise<void> {
  const notices = rows.filter(({ uid }) => Number(uid) === EVERYBODY).map(({ id }) => BigInt(id));
  for (const notice of notices) await deleteReceipts(session, notice);
  for (let tries = 1; ; tries += 1) {
    await session.exec('START TRANSACTION');
    try {
      await deleteMessages(session, rows, notices);
      await session.exec('COMMIT');
      return;
    } catch (error) {
      if (spoilsConnection(error)) throw error;
      await session.exec('ROLLBACK');
      if (!isContention(error) || tries === TRIES_MAX) throw error;
    }
  }
}

/** Most of them before the transaction, a million of them would be too much for one. */
async function deleteReceipts(session: Session, notice: bigint): Promise<void> {
  const some = written(
    sql`DELETE FROM spush_receipt WHERE message_id = ${notice} ORDER BY uid LIMIT ${sql.lit(DELETE_RECEIPTS)}`,
  );
  while ((await session.run(some)) === DELETE_RECEIPTS);
}

async function deleteMessages(
  session: Session,
  rows: readonly ExpiredRow[],
  notices: readonly bigint[],
): Promise<void> {
  const ids = rows.map(({ id }) => BigInt(id)).sort((a, b) => (a < b ? -1 : 1));
  await session.run(written(sql`DELETE FROM spush_message WHERE id IN (${sql.join(ids)})`));
  // Whoever acknowledged in between had the notice locked; now nobody can any more.
  if (notices.length > 0)
    await session.run(
      written(sql`DELETE FROM spush_receipt WHERE message_id IN (${sql.join([...notices])})`),
    );
  const gone = new Map<string, number>();
  for (const { body_id } of rows) gone.set(body_id, (gone.get(body_id) ?? 0) + 1);
  for (const copies of new Set(gone.values())) {
    const bodies = [...gone].filter(([, count]) => count === copies).map(([id]) => BigInt(id));
    for (const some of chunksOf(bodies, DELETE_ROWS)) await letGoOfBodies(session, some, copies);
  }
}

async function letGoOfBodies(session: Session, ids: readonly bigint[], copies: number): Promise<void> {
  const which = sql`id IN (${sql.join([...ids])})`;
  const deleted = await session.run(
    written(sql`DELETE FROM spush_body WHERE ${which} AND copies <= ${copies}`),
  );
  if (deleted < ids.length)
    await session.run(written(sql`UPDATE spush_body SET copies = copies - ${copies} WHERE ${which}`));
}
