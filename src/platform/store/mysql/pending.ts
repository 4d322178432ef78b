/**
 * What is still to be delivered to some users.
 *
 * Each user and kind is one range of spush_message_state, in the order of ids and cut at the limit, so the cost follows the
 * users asked for; the ranges of many users travel in one statement. Notices for everybody are read once, and then which of
 * these users have them already.
 */
import { sql } from 'kysely';
import type { Log } from '../../log/log.js';
import type { PendingArgs } from '../call-arguments.js';
import type { PendingRows } from '../full-pages.js';
import { EVERYBODY, KIND_NUMBER, PERSONAL_KINDS } from '../kind-number.js';
import { ITEM_COLUMNS, type ItemRow, itemOf, textsOf } from './items.js';
import { OPEN, SETTLED } from './message-rows.js';
import type { Session } from './session.js';
import { chunksOf, written } from './statements.js';

/** Ranges in one statement. */
const RANGES = 64;
/** Pairs of notice and user in one statement: see LOOKUP_KEYS in accept.ts. */
const PAIRS = 4_000;
/** Of these, so many notices at most. */
const NOTICES = 100;

export async function pendingOf(
  session: Session,
  args: PendingArgs,
  log: Pick<Log, 'warn'>,
): Promise<Map<number, PendingRows>> {
  const { uids, kinds, limit } = args;
  const found = new Map<number, ItemRow[]>(uids.map((uid) => [uid, []]));
  const releases = await releasesOf(session);
  for (const row of await personalRows(session, args, releases)) found.get(Number(row.uid))?.push(row);
  if (kinds.includes(KIND_NUMBER.systemNotice)) await addNotices(session, args, releases, found);
  // Ids have 19 digits each, so they sort as text.
  for (const [uid, rows] of found)
    found.set(uid, rows.sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, limit));
  const texts = await textsOf(session, [...found.values()].flat(), log);
  const pages = new Map<number, PendingRows>();
  for (const [uid, rows] of found) {
    const last = rows.length < limit ? null : (rows.at(-1)?.id ?? null);
    if (rows.length > 0) pages.set(uid, { items: rows.flatMap((row) => itemOf(row, texts) ?? []), last });
  }
  return pages;
}

async function releasesOf(session: Session): Promise<ReadonlyMap<number, number>> {
  const rows = await session.rows<{ kind: number; number: string }>(
    written(sql`SELECT kind, number FROM spush_released`),
  );
  return new Map(rows.map(({ kind, number }) => [kind, Number(number)]));
}

async function personalRows(
  session: Session,
  { uids, after, kinds, notSentSince, sentAtMax, settledSince, limit, now }: PendingArgs,
  releases: ReadonlyMap<number, number>,
): Promise<ItemRow[]> {
  const settledAfter = settledSince !== null && settledSince > after ? settledSince : after;
  const ranges = uids.flatMap((uid) =>
    PERSONAL_KINDS.filter((kind) => kinds.includes(kind)).map((kind) => ({ uid, kind })),
  );
  const rows: ItemRow[] = [];
  for (const some of chunksOf(ranges, RANGES)) {
    const pages = some.flatMap(({ uid, kind }) => [
      sql`
        (SELECT ${ITEM_COLUMNS} FROM spush_message m FORCE INDEX (spush_message_state)
         WHERE m.state = ${OPEN} AND m.uid = ${uid} AND m.kind = ${kind} AND m.id > ${BigInt(after)}
           AND m.expires_at > ${now} AND m.due <= ${releases.get(kind) ?? 0}
           AND (m.sent_at IS NULL OR m.sent_at < ${notSentSince} OR m.sent_at > ${sentAtMax})
         ORDER BY m.id LIMIT ${sql.lit(limit)})`,
      ...(settledSince === null
        ? []
        : [
            sql`
        (SELECT ${ITEM_COLUMNS} FROM spush_message m FORCE INDEX (spush_message_state)
         WHERE m.state = ${SETTLED} AND m.uid = ${uid} AND m.kind = ${kind} AND m.id > ${BigInt(settledAfter)}
           AND m.expires_at > ${now}
         ORDER BY m.id LIMIT ${sql.lit(limit)})`,
          ]),
    ]);
    rows.push(...(await session.rows<ItemRow>(written(sql.join(pages, sql` UNION ALL `)))));
  }
  return rows;
}

/** To each user the first of those notices that are open for the user and were not sent of late, and the settled ones asked for. */
async function addNotices(
  session: Session,
  { uids, after, notSentSince, sentAtMax, settledSince, limit, now }: PendingArgs,
  releases: ReadonlyMap<number, number>,
  found: ReadonlyMap<number, ItemRow[]>,
): Promise<void> {
  const isOut = sql`m.due <= ${releases.get(KIND_NUMBER.systemNotice) ?? 0}`;
  const wanted = settledSince === null ? isOut : sql`(${isOut} OR m.id > ${BigInt(settledSince)})`;
  const notices = await session.rows<ItemRow & { readonly is_out: number | string }>(
    written(sql`
      SELECT ${ITEM_COLUMNS}, ${isOut} AS is_out FROM spush_message m FORCE INDEX (spush_message_state)
      WHERE m.state = ${OPEN} AND m.uid = ${EVERYBODY} AND m.kind = ${KIND_NUMBER.systemNotice}
        AND m.id > ${BigInt(after)} AND m.expires_at > ${now} AND ${wanted}
      ORDER BY m.id`),
  );
  if (notices.length === 0) return;
  /** By notice and user: what a receipt says, where there is one that matters. */
  const shown = new Map<string, boolean>();
  for (const some of chunksOf(notices, NOTICES))
    for (const users of chunksOf(uids, Math.floor(PAIRS / some.length))) {
      const rows = await session.rows<{
        message_id: string;
        uid: string;
        is_settled_unread: number | string;
      }>(
        written(sql`
          SELECT message_id, uid, settled = 1 AND read_at IS NULL AS is_settled_unread FROM spush_receipt FORCE INDEX (PRIMARY)
          WHERE message_id IN (${sql.join(some.map(({ id }) => BigInt(id)))}) AND uid IN (${sql.join([...users])})
            AND (settled = 1 OR sent_at BETWEEN ${notSentSince} AND ${sentAtMax})`),
      );
      for (const { message_id: id, uid, is_settled_unread } of rows)
        shown.set(
          `${id} ${uid}`,
          settledSince !== null && id > settledSince && Number(is_settled_unread) === 1,
        );
    }
  for (const uid of uids) {
    const some = notices.filter(({ id, is_out }) => shown.get(`${id} ${uid}`) ?? Number(is_out) === 1);
    found.get(uid)?.push(...some.slice(0, limit));
  }
}
