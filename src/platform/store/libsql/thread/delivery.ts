/** What delivery asks and tells: what is still to be delivered, what was written to sockets, what clients acknowledged. */
import type { MessageId } from '../../../../shared/domain/message-id.js';
import type { PendingArgs } from '../../call-arguments.js';
import { EVERYBODY, KIND_NUMBER, PERSONAL_KINDS } from '../../kind-number.js';
import { ItemRowsBuilder } from '../item-rows.js';
import type { AckArgs, MarkSentArgs, PendingAnswer } from '../store-calls.js';
import type { Database } from './database.js';

/** id, kind, uid, created_at, body_id, body.text */
type ItemColumns = readonly [MessageId, number, number, number, string, string];
type NoticeColumns = readonly [MessageId];

export function deliveryOperations(db: Database) {
  const pendingPersonal = db.prepare<ItemColumns>(
    `SELECT CAST(m.id AS TEXT), m.kind, m.uid, m.created_at, CAST(m.body_id AS TEXT), b.text
     FROM message m INDEXED BY message_pending CROSS JOIN body b ON b.id = m.body_id
     WHERE m.uid = ? AND m.kind = ? AND m.pending = 1 AND m.id > ? AND m.expires_at > ? AND m.due <= ?
       AND (m.sent_at IS NULL OR m.sent_at < ? OR m.sent_at > ?)
     ORDER BY m.id LIMIT ?`,
  );
  /** Ids only: the same few notices come for every user, their texts are read once. */
  const pendingNotices = db.prepare<NoticeColumns>(
    `SELECT CAST(m.id AS TEXT)
     FROM message m INDEXED BY message_user
     LEFT JOIN receipt r ON r.message_id = m.id AND r.uid = ?
     WHERE m.uid = ${EVERYBODY} AND m.kind = ${KIND_NUMBER.systemNotice} AND m.id > ? AND m.expires_at > ? AND m.due <= ?
       AND (r.pending IS NULL OR (r.pending = 1 AND (r.sent_at < ? OR r.sent_at > ?)))
     ORDER BY m.id LIMIT ?`,
  );
  const settledPersonal = db.prepare<ItemColumns>(
    `SELECT CAST(m.id AS TEXT), m.kind, m.uid, m.created_at, CAST(m.body_id AS TEXT), b.text
     FROM message m INDEXED BY message_user CROSS JOIN body b ON b.id = m.body_id
     WHERE m.uid = ? AND m.kind = ? AND m.pending = 0 AND m.read_at IS NULL AND m.id > ? AND m.expires_at > ?
     ORDER BY m.id LIMIT ?`,
  );
  const settledNotices = db.prepare<NoticeColumns>(
    `SELECT CAST(m.id AS TEXT)
     FROM message m INDEXED BY message_user CROSS JOIN receipt r ON r.message_id = m.id AND r.uid = ?
     WHERE m.uid = ${EVERYBODY} AND m.kind = ${KIND_NUMBER.systemNotice} AND m.id > ? AND m.expires_at > ?
       AND r.pending = 0 AND r.read_at IS NULL
     ORDER BY m.id LIMIT ?`,
  );
  const item = db.prepare<ItemColumns>(
    `SELECT CAST(m.id AS TEXT), m.kind, m.uid, m.created_at, CAST(m.body_id AS TEXT), b.text
     FROM message m CROSS JOIN body b ON b.id = m.body_id WHERE m.id = ?`,
  );
  const releases = db.prepare<readonly [number, number]>('SELECT kind, number FROM released');

  const sentPersonal = db.prepare(
    `UPDATE message SET sent_at = max(ifnull(sent_at, 0), ?), pending = min(pending, ?)
     WHERE id = ? AND uid IN (SELECT value FROM json_each(?)) AND uid <> ${EVERYBODY} AND pending = 1`,
  );
  const sentNotice = db.prepare(
    `INSERT INTO receipt (message_id, uid, pending, sent_at)
     SELECT m.id, j.value, ?, ? FROM message m CROSS JOIN json_each(?) j WHERE m.id = ? AND m.uid = ${EVERYBODY} AND m.pending = 2
     ON CONFLICT (message_id, uid) DO UPDATE
       SET sent_at = max(sent_at, excluded.sent_at), pending = min(pending, excluded.pending) WHERE pending = 1`,
  );

  const ackPersonal = db.prepare(
    `UPDATE message SET acked_at = ?, sent_at = ifnull(sent_at, ?), pending = 0
     WHERE id IN (SELECT value FROM json_each(?)) AND +uid = ? AND acked_at IS NULL`,
  );
  const ackNotices = db.prepare(
    `INSERT INTO receipt (message_id, uid, pending, sent_at, acked_at)
     SELECT m.id, ?, 0, ?, ? FROM json_each(?) j CROSS JOIN message m ON m.id = j.value WHERE m.uid = ${EVERYBODY}
     ON CONFLICT (message_id, uid) DO UPDATE SET acked_at = excluded.acked_at, pending = 0 WHERE acked_at IS NULL`,
  );

  return {
    pending(args: PendingArgs): PendingAnswer {
      const { uids, after, kinds, notSentSince, sentAtMax, settledSince, limit, now } = args;
      const afterId = BigInt(after);
      const settledAfter = settledSince === null ? null : BigInt(settledSince > after ? settledSince : after);
      const released = new Map(releases.all());
      const personalKinds = PERSONAL_KINDS.filter((kind) => kinds.includes(kind));
      const withNotices = kinds.includes(KIND_NUMBER.systemNotice);
      const noticeItems = new Map<MessageId, ItemColumns>();

      /** Ids have 19 digits each, so they sort as text. */
      function pendingOf(uid: number): ItemColumns[] {
        const found: ItemColumns[] = [];
        for (const kind of personalKinds) {
          const due = released.get(kind) ?? 0;
          found.push(...pendingPersonal.all(uid, kind, afterId, now, due, notSentSince, sentAtMax, limit));
        }
        if (withNotices) found.push(...noticesOf(uid));
        if (settledAfter !== null) {
          for (const kind of personalKinds)
            found.push(...settledPersonal.all(uid, kind, settledAfter, now, limit));
          if (withNotices) found.push(...noticeTexts(settledNotices.all(uid, settledAfter, now, limit)));
        }
        return found.sort((a, b) => (a[0] < b[0] ? -1 : 1)).slice(0, limit);
      }

      function noticesOf(uid: number): ItemColumns[] {
        const due = released.get(KIND_NUMBER.systemNotice) ?? 0;
        return noticeTexts(pendingNotices.all(uid, afterId, now, due, notSentSince, sentAtMax, limit));
      }

      function noticeTexts(ids: readonly NoticeColumns[]): ItemColumns[] {
        return ids.flatMap(([id]) => {
          const known = noticeItems.get(id) ?? item.get(BigInt(id));
          if (known === undefined) return [];
          noticeItems.set(id, known);
          return [known];
        });
      }

      const users: { uid: number; count: number }[] = [];
      const items = new ItemRowsBuilder();
      for (const uid of uids) {
        const found = pendingOf(uid);
        if (found.length === 0) continue;
        users.push({ uid, count: found.length });
        for (const [id, kind, owner, createdAt, bodyId, text] of found)
          items.add(id, kind, owner, createdAt, { id: bodyId, text });
      }
      return { users, items: items.build() };
    },

    markSent({ marks, at }: MarkSentArgs): null {
      for (const { id, settled, uids } of marks) {
        const pending = settled ? 0 : 1;
        const changed = sentPersonal.run(at, pending, BigInt(id), uids);
        if (changed === 0) sentNotice.run(pending, at, uids, BigInt(id));
      }
      return null;
    },

    ack({ uid, ids, at }: AckArgs): number {
      return ackPersonal.run(at, at, ids, uid) + ackNotices.run(uid, at, at, ids);
    },
  };
}
