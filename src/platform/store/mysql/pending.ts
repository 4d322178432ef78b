/**
 * What is still to be delivered to some users.
 *
 * Each user and kind is one range of spush_message_state, in the order of ids and cut at the limit, so the cost follows the
 * users asked for; the ranges of many users travel in one statement. Notices for everybody are read once, and then which of
 * these users have them already.
 */
import { sql } from 'kysely';
import type { MessageItem } from '../../../shared/domain/message.js';
import type { MessageId } from '../../../shared/domain/message-id.js';
import { EVERYBODY, KIND_NUMBER, PERSONAL_KINDS } from '../kind-number.js';
import { OPEN } from './accept.js';
import type { Session } from './connections.js';
import { ITEM_COLUMNS, type ItemRow, itemOf, textsOf } from './items.js';
import { chunksOf, written } from './statements.js';

/** Ranges in one statement. */
const RANGES = 64;
/** Pairs of notice and user in one statement: see LOOKUP_KEYS in accept.ts. */
const PAIRS = 4_000;
/** Of these, so many notices at most. */
const NOTICES = 100;

export interface PendingArgs {
  readonly uids: readonly number[];
  readonly after: MessageId;
  readonly kinds: readonly number[];
  readonly notSentSince: number;
  readonly limit: number;
  readonly now: number;
}

export async function pendingOf(session: Session, args: PendingArgs): Promise<Map<number, MessageItem[]>> {
  const { uids, kinds, limit } = args;
  const found = new Map<number, ItemRow[]>(uids.map((uid) => [uid, []]));
  const releases = await releasesOf(session);
  for (const row of await personalRows(session, args, releases)) found.get(Number(row.uid))?.push(row);
  if (kinds.includes(KIND_NUMBER.systemNotice)) await addNotices(session, args, releases, found);
  // Ids have 19 digits each, so they sort as text.
  for (const [uid, rows] of found)
    found.set(uid, rows.sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, limit));
  const texts = await textsOf(session, [...found.values()].flat());
  const items = new Map<number, MessageItem[]>();
  for (const [uid, rows] of found) {
    const some = rows.flatMap((row) => itemOf(row, texts) ?? []);
    if (some.length > 0) items.set(uid, some);
  }
  return items;
}

async function releasesOf(session: Session): Promise<ReadonlyMap<number, number>> {
  const rows = await session.rows<{ kind: number; number: string }>(
    written(sql`SELECT kind, number FROM spush_released`),
  );
  return new Map(rows.map(({ kind, number }) => [kind, Number(number)]));
}

async function personalRows(
  session: Session,
  { uids, after, kinds, notSentSince, limit, now }: PendingArgs,
  releases: ReadonlyMap<number, number>,
): Promise<ItemRow[]> {
  const ranges = uids.flatMap((uid) =>
    PERSONAL_KINDS.filter((kind) => kinds.includes(kind)).map((kind) => ({ uid, kind })),
  );
  const rows: ItemRow[] = [];
  for (const some of chunksOf(ranges, RANGES)) {
    const pages = some.map(
      ({ uid, kind }) => sql`
        (SELECT ${ITEM_COLUMNS} FROM spush_message m FORCE INDEX (spush_message_state)
         WHERE m.state = ${OPEN} AND m.uid = ${uid} AND m.kind = ${kind} AND m.id > ${BigInt(after)}
           AND m.expires_at > ${now} AND m.due <= ${releases.get(kind) ?? 0}
           AND (m.sent_at IS NULL OR m.sent_at < ${notSentSince})
         ORDER BY m.id LIMIT ${sql.lit(limit)})`,
    );
    rows.push(...(await session.rows<ItemRow>(written(sql.join(pages, sql` UNION ALL `)))));
  }
  return rows;
}

/** To each user the first of those notices that the user has not settled and was not sent of late. */
async function addNotices(
  session: Session,
  { uids, after, notSentSince, limit, now }: PendingArgs,
  releases: ReadonlyMap<number, number>,
  found: ReadonlyMap<number, ItemRow[]>,
): Promise<void> {
  const notices = await session.rows<ItemRow>(
    written(sql`
      SELECT ${ITEM_COLUMNS} FROM spush_message m FORCE INDEX (spush_message_state)
      WHERE m.state = ${OPEN} AND m.uid = ${EVERYBODY} AND m.kind = ${KIND_NUMBER.systemNotice}
        AND m.id > ${BigInt(after)} AND m.expires_at > ${now}
        AND m.due <= ${releases.get(KIND_NUMBER.systemNotice) ?? 0}
      ORDER BY m.id`),
  );
  if (notices.length === 0) return;
  const done = new Set<string>();
  for (const some of chunksOf(notices, NOTICES))
    for (const users of chunksOf(uids, Math.floor(PAIRS / some.length))) {
      const rows = await session.rows<{ message_id: string; uid: string }>(
        written(sql`
          SELECT message_id, uid FROM spush_receipt FORCE INDEX (PRIMARY)
          WHERE message_id IN (${sql.join(some.map(({ id }) => BigInt(id)))}) AND uid IN (${sql.join([...users])})
            AND (settled = 1 OR sent_at >= ${notSentSince})`),
      );
      for (const { message_id, uid } of rows) done.add(`${message_id} ${uid}`);
    }
  for (const uid of uids) {
    const open = notices.filter(({ id }) => !done.has(`${id} ${uid}`)).slice(0, limit);
    found.get(uid)?.push(...open);
  }
}
