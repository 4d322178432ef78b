/** For the person who asks why something did not arrive: all that is known of a message, and what is pending of a user, counted. */
import type { MessageId } from '../../../../shared/domain/message-id.js';
import { EVERYBODY, KIND_NUMBER, PERSONAL_KINDS } from '../../kind-number.js';
import type { BacklogRow, FactsRow } from '../../message-facts.js';
import { BACKLOG_COUNTED_MAX } from '../../message-store.js';
import type { BacklogAnswer } from '../store-calls.js';
import type { Database } from './database.js';

/** Settled, has a key for replacing, held, bytes of its text. */
type FactsColumns = readonly [number, number, number, number];
/** Counted, sent, held, when the oldest was accepted. */
type CountColumns = readonly [number, number, number, number | null];

export function inspectOperations(db: Database) {
  const facts = db.prepare<FactsColumns>(
    `SELECT m.pending = 0, m.collapse_key IS NOT NULL, m.due > d.number, ifnull(length(CAST(b.text AS BLOB)), 0)
     FROM message m CROSS JOIN released d ON d.kind = m.kind LEFT JOIN body b ON b.id = m.body_id WHERE m.id = ?`,
  );
  const next = db.prepare<readonly [MessageId]>(
    `SELECT CAST(n.id AS TEXT) FROM message m CROSS JOIN message n INDEXED BY message_user
       ON n.uid = m.uid AND n.kind = m.kind AND n.id > m.id AND n.collapse_key = m.collapse_key
     WHERE m.id = ? ORDER BY n.id LIMIT 1`,
  );
  const counted = (rows: string) =>
    db.prepare<CountColumns>(
      `SELECT count(*), ifnull(sum(sent), 0), ifnull(sum(held), 0), min(created_at)
       FROM (${rows} LIMIT ${BACKLOG_COUNTED_MAX})`,
    );
  const countPersonal = counted(
    `SELECT m.sent_at IS NOT NULL AS sent, m.due > d.number AS held, m.created_at
     FROM released d CROSS JOIN message m INDEXED BY message_pending
     WHERE d.kind = ?2 AND m.uid = ?1 AND m.kind = ?2 AND m.pending = 1 AND m.expires_at > ?3 ORDER BY m.id`,
  );
  const countNotices = counted(
    `SELECT r.message_id IS NOT NULL AS sent, m.due > d.number AS held, m.created_at
     FROM released d CROSS JOIN message m INDEXED BY message_user
     LEFT JOIN receipt r ON r.message_id = m.id AND r.uid = ?1
     WHERE d.kind = ?2 AND m.uid = ${EVERYBODY} AND m.kind = ?2 AND m.pending > 0 AND m.expires_at > ?3
       AND ifnull(r.pending, 1) = 1 ORDER BY m.id`,
  );
  const anyOf = db.prepare<readonly [number]>(
    'SELECT 1 FROM message INDEXED BY message_user WHERE uid = ? LIMIT 1',
  );

  return {
    inspect({ id }: { readonly id: MessageId }): FactsRow | null {
      const row = facts.get(BigInt(id));
      if (row === undefined) return null;
      const [settled, collapses, held, bytes] = row;
      return {
        settled: settled === 1,
        collapses: collapses === 1,
        held: held === 1,
        bytes,
        next: collapses === 1 ? (next.get(BigInt(id))?.[0] ?? null) : null,
      };
    },

    backlog({ uid, now }: { readonly uid: number; readonly now: number }): BacklogAnswer {
      const row = (kind: number, columns: CountColumns | undefined): BacklogRow =>
        columns === undefined ? [kind, 0, 0, 0, null] : [kind, ...columns];
      const { systemNotice } = KIND_NUMBER;
      return {
        known: anyOf.get(uid) !== undefined,
        rows: [
          ...PERSONAL_KINDS.map((kind) => row(kind, countPersonal.get(uid, kind, now))),
          row(systemNotice, countNotices.get(uid, systemNotice, now)),
        ],
      };
    },
  };
}
