/**
 * A user's inbox: what is listed and what is unread.
 *
 * A kind in a state is one range of spush_message_state, already in order; the ranges are merged by the server in one
 * statement, so a page is of one moment and costs what it shows, whatever else is stored.
 */
import { sql } from 'kysely';
import type { UnreadCounts } from '../../../shared/domain/message.js';
import type { MessageId } from '../../../shared/domain/message-id.js';
import type { Log } from '../../log/log.js';
import { EVERYBODY, KIND_NUMBER, PERSONAL_KINDS } from '../kind-number.js';
import type { ListedItem } from '../message-store.js';
import { ITEM_COLUMNS, type ItemRow, itemOf, textsOf } from './items.js';
import { OPEN, READ, SETTLED } from './message-rows.js';
import type { Session } from './session.js';
import { written } from './statements.js';

export interface ListArgs {
  readonly uid: number;
  readonly kinds: readonly number[];
  readonly unread: boolean;
  readonly cursor: MessageId;
  readonly limit: number;
  readonly now: number;
}

export async function listOf(
  session: Session,
  { uid, kinds, unread, cursor, limit, now }: ListArgs,
  log: Pick<Log, 'warn'>,
): Promise<{ items: ListedItem[]; next: MessageId | null }> {
  const tail = sql`ORDER BY m.id DESC LIMIT ${sql.lit(limit + 1)}`;
  const pages = PERSONAL_KINDS.filter((kind) => kinds.includes(kind)).flatMap((kind) =>
    (unread ? [OPEN, SETTLED] : [OPEN, SETTLED, READ]).map(
      (state) => sql`
        (SELECT ${ITEM_COLUMNS}, ${sql.lit(state === READ ? 1 : 0)} AS is_read FROM spush_message m FORCE INDEX (spush_message_state)
         WHERE m.state = ${state} AND m.uid = ${uid} AND m.kind = ${kind} AND m.id < ${BigInt(cursor)}
           AND m.expires_at > ${now} ${tail})`,
    ),
  );
  // A notice that is not open was replaced, and expired with that.
  if (kinds.includes(KIND_NUMBER.systemNotice))
    pages.push(sql`
      (SELECT ${ITEM_COLUMNS}, r.read_at IS NOT NULL AS is_read FROM spush_message m FORCE INDEX (spush_message_state)
       LEFT JOIN spush_receipt r ON r.message_id = m.id AND r.uid = ${uid}
       WHERE m.state = ${OPEN} AND m.uid = ${EVERYBODY} AND m.kind = ${KIND_NUMBER.systemNotice}
         AND m.id < ${BigInt(cursor)} AND m.expires_at > ${now} ${unread ? sql`AND r.read_at IS NULL` : sql``} ${tail})`);
  const rows = await session.rows<ItemRow & { readonly is_read: number | string }>(
    written(sql`
      SELECT * FROM (${sql.join(pages, sql` UNION ALL `)}) page ORDER BY id DESC LIMIT ${sql.lit(limit + 1)}`),
  );
  const shown = rows.slice(0, limit);
  const texts = await textsOf(session, shown, log);
  const items = shown.flatMap((row) => {
    const item = itemOf(row, texts);
    return item === null ? [] : [{ ...item, read: Number(row.is_read) === 1 }];
  });
  return { items, next: rows.length > limit ? (shown.at(-1)?.id ?? null) : null };
}

export async function unreadOf(
  session: Session,
  { uid, now }: { readonly uid: number; readonly now: number },
): Promise<UnreadCounts> {
  const rows = await session.rows<{ kind: number; count: string }>(
    written(sql`
      SELECT m.kind, COUNT(*) AS count FROM spush_message m FORCE INDEX (spush_message_state)
      WHERE m.state IN (${OPEN}, ${SETTLED}) AND m.uid = ${uid} AND m.kind IN (${sql.join([...PERSONAL_KINDS])})
        AND m.expires_at > ${now}
      GROUP BY m.kind
      UNION ALL
      SELECT ${KIND_NUMBER.systemNotice}, COUNT(*) FROM spush_message m FORCE INDEX (spush_message_state)
      LEFT JOIN spush_receipt r ON r.message_id = m.id AND r.uid = ${uid}
      WHERE m.state = ${OPEN} AND m.uid = ${EVERYBODY} AND m.kind = ${KIND_NUMBER.systemNotice} AND m.expires_at > ${now}
        AND r.read_at IS NULL`),
  );
  const counts = new Map(rows.map(({ kind, count }) => [Number(kind), Number(count)]));
  const of = (kind: number) => counts.get(kind) ?? 0;
  const comment = of(KIND_NUMBER.comment);
  const userNotice = of(KIND_NUMBER.userNotice);
  const systemNotice = of(KIND_NUMBER.systemNotice);
  return { comment, userNotice, systemNotice, total: comment + userNotice + systemNotice };
}
