/**
 * The locks of a transaction, taken in one order before anything is changed, so that two transactions do not wait for each
 * other in a ring:
 *
 * 1. the keys of messages that replace older ones (`collapse`), by the numbers of their locks;
 * 2. rows of messages that are there already, by id. They are found by reading without locks and never locked by way of
 *    another index: changing a row locks the row first and its index entries after that.
 *
 * New rows are nobody's yet. The lock of a key is a row of spush_writer (see writer-rows.ts): who stores a message of a key
 * must see every older one, also one that somebody else is storing at this moment, and where there is none yet there is no
 * row of a message to lock. Looking for what the other one has just inserted instead is a deadlock each time.
 *
 * What is left of deadlocks, with acknowledgements of notices for everybody for example, is tried again (group-commit.ts).
 */
import { sql } from 'kysely';
import type { MessageId } from '../../../shared/domain/message-id.js';
import { SLICE_ROWS } from '../accept-runs.js';
import { EVERYBODY } from '../kind-number.js';
import { findUnread, ownersOf, type ReadKindsArgs } from './marks.js';
import { type CollapseKey, findOlder, rising } from './older.js';
import { pausing } from './pausing.js';
import type { Session } from './session.js';
import { chunksOf, written } from './statements.js';
import { FOR_EVER, KEY_LOCKS } from './writer-rows.js';

/** What one change of a group will touch of what is there. */
export interface Touched {
  readonly keys?: readonly CollapseKey[];
  /** Marked as sent, acknowledged, read. */
  readonly ids?: readonly MessageId[];
  readonly unread?: ReadKindsArgs;
}

/** Locks of keys in all. Two keys may share one; then their writers wait for each other, which is slower and does no harm. */
const LOCKS = 4096;
/** Rows in one statement. */
const ROWS = 1000;

/** Takes them. Answers whose each message is that will be marked; unknown ids are absent. */
export async function lockInOrder(
  session: Session,
  touched: readonly Touched[],
): Promise<ReadonlyMap<MessageId, number>> {
  const keys = touched.flatMap((each) => each.keys ?? []);
  await lockKeys(session, await pausing(locksOf(keys)));
  const owners = await ownersOf(
    session,
    touched.flatMap((each) => each.ids ?? []),
  );
  // Alone, each takes its own locks in order.
  if (touched.length < 2) return owners;
  const ids = [...owners].flatMap(([id, uid]) => (uid === EVERYBODY ? [] : [BigInt(id)]));
  ids.push(...(await findOlder(session, keys)));
  for (const { unread } of touched)
    if (unread !== undefined) ids.push(...(await findUnread(session, unread)).map(BigInt));
  for (const some of chunksOf(rising(ids), ROWS))
    await session.rows(
      written(sql`
        SELECT id FROM spush_message FORCE INDEX (PRIMARY)
        WHERE id IN (${sql.join([...some])}) ORDER BY id FOR UPDATE`),
    );
  return owners;
}

async function lockKeys(session: Session, locks: readonly number[]): Promise<void> {
  // Makes the rows that are missing and locks those that are not, in this order.
  for (const some of chunksOf(locks, ROWS))
    await session.run({
      sql: 'INSERT INTO spush_writer (owner, part, number, at) VALUES ? ON DUPLICATE KEY UPDATE part = part',
      parameters: [some.map((lock) => [lock, KEY_LOCKS, 0, FOR_EVER])],
    });
}

/** Rising; pauses after each slice. */
function* locksOf(keys: readonly CollapseKey[]): Generator<void, number[]> {
  const locks = new Set<number>();
  for (const [index, key] of keys.entries()) {
    if (index > 0 && index % SLICE_ROWS === 0) yield;
    locks.add(lockOf(key));
  }
  return [...locks].sort((a, b) => a - b);
}

/** The same in every process of every version that uses these locks (FNV-1a). */
export function lockOf({ kind, uid, key }: CollapseKey): number {
  let hash = 0x811c9dc5;
  for (const char of `${kind} ${uid} ${key}`) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return (hash >>> 0) % LOCKS;
}
