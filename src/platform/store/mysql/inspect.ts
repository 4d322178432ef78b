/** For the person who asks why something did not arrive: all that is known of a message, and what is pending of a user, counted. */
import { sql } from 'kysely';
import type { MessageFacts, UserBacklog } from '../../../shared/domain/message.js';
import type { MessageId } from '../../../shared/domain/message-id.js';
import { EVERYBODY, KIND_NUMBER, PERSONAL_KINDS } from '../kind-number.js';
import { type BacklogRow, backlogOf, factsOf } from '../message-facts.js';
import { BACKLOG_COUNTED_MAX } from '../message-store.js';
import { OPEN, READ, SETTLED } from './message-rows.js';
import type { Session } from './session.js';
import { written } from './statements.js';
import { statusOf } from './upkeep.js';

interface FactsColumns {
  readonly state: number;
  readonly collapses: number | string;
  readonly held: number | string;
  readonly bytes: number | string | null;
}

interface CountColumns {
  readonly kind: number | string;
  readonly count: string;
  readonly sent: string | null;
  readonly held: string | null;
  readonly oldest: string | null;
}

export async function inspectOf(session: Session, id: MessageId, now: number): Promise<MessageFacts | null> {
  const status = await statusOf(session, id, now);
  if (status === null) return null;
  const [row] = await session.rows<FactsColumns>(
    written(sql`
      SELECT m.state, m.collapse_key IS NOT NULL AS collapses, m.due > d.number AS held, LENGTH(b.text) AS bytes
      FROM spush_message m FORCE INDEX (PRIMARY) JOIN spush_released d ON d.kind = m.kind
      LEFT JOIN spush_body b ON b.id = m.body_id WHERE m.id = ${BigInt(id)}`),
  );
  // Pruned since it was read.
  if (row === undefined) return null;
  const collapses = Number(row.collapses) === 1;
  return factsOf(status, {
    settled: row.state !== OPEN,
    collapses,
    held: Number(row.held) === 1,
    bytes: Number(row.bytes ?? 0),
    next: collapses ? await nextOf(session, id) : null,
  });
}

/** The next message of the same key. */
async function nextOf(session: Session, id: MessageId): Promise<MessageId | null> {
  const [row] = await session.rows<{ id: MessageId }>(
    written(sql`
      SELECT n.id FROM spush_message m FORCE INDEX (PRIMARY)
      JOIN spush_message n FORCE INDEX (spush_message_collapse)
        ON n.collapse_key = m.collapse_key AND n.uid = m.uid AND n.kind = m.kind AND n.id > m.id
      WHERE m.id = ${BigInt(id)} ORDER BY n.id LIMIT 1`),
  );
  return row?.id ?? null;
}

export async function pendingCountsOf(
  session: Session,
  { uid, now }: { readonly uid: number; readonly now: number },
): Promise<UserBacklog> {
  const { systemNotice } = KIND_NUMBER;
  const tail = sql`ORDER BY m.id LIMIT ${sql.lit(BACKLOG_COUNTED_MAX)}`;
  const pages = [
    ...PERSONAL_KINDS.map(
      (kind) => sql`
        (SELECT m.kind, m.created_at, m.sent_at IS NOT NULL AS sent, m.due AS due
         FROM spush_message m FORCE INDEX (spush_message_state)
         WHERE m.state = ${OPEN} AND m.uid = ${uid} AND m.kind = ${kind} AND m.expires_at > ${now} ${tail})`,
    ),
    sql`
        (SELECT m.kind, m.created_at, r.message_id IS NOT NULL AS sent, m.due AS due
         FROM spush_message m FORCE INDEX (spush_message_state)
         LEFT JOIN spush_receipt r ON r.message_id = m.id AND r.uid = ${uid}
         WHERE m.state = ${OPEN} AND m.uid = ${EVERYBODY} AND m.kind = ${systemNotice} AND m.expires_at > ${now}
           AND COALESCE(r.settled, 0) = 0 ${tail})`,
  ];
  const rows = await session.rows<CountColumns>(
    written(sql`
      SELECT p.kind, COUNT(*) AS count, SUM(p.sent) AS sent, SUM(p.due > d.number) AS held, MIN(p.created_at) AS oldest
      FROM (${sql.join(pages, sql` UNION ALL `)}) p JOIN spush_released d ON d.kind = p.kind GROUP BY p.kind`),
  );
  const counted = rows.map(
    ({ kind, count, sent, held, oldest }): BacklogRow => [
      Number(kind),
      Number(count),
      Number(sent ?? 0),
      Number(held ?? 0),
      oldest === null ? null : Number(oldest),
    ],
  );
  const [any] = await session.rows<{ found: number }>(
    written(sql`
      SELECT 1 AS found FROM spush_message FORCE INDEX (spush_message_state)
      WHERE state IN (${OPEN}, ${SETTLED}, ${READ}) AND uid = ${uid} LIMIT 1`),
  );
  return { known: any !== undefined, ...backlogOf(counted) };
}
