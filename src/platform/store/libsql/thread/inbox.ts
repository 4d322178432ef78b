/**
 * A user's inbox: what is listed, what is unread, what was read.
 *
 * Each kind is one range of an index, already in order; the three ranges are merged here. So a page costs
 * what it shows, whatever else is stored.
 */

import type { UnreadCounts } from '../../../../shared/domain/message.js';
import type { MessageId } from '../../../../shared/domain/message-id.js';
import { EVERYBODY, KIND_NUMBER, PERSONAL_KINDS } from '../../kind-number.js';
import { ItemRowsBuilder } from '../item-rows.js';
import type { ListAnswer, ListArgs, ReadArgs } from '../store-calls.js';
import type { Database } from './database.js';

/** id, kind, uid, created_at, read, body_id, body.text */
type ListedColumns = readonly [MessageId, number, number, number, number, string, string];

export function inboxOperations(db: Database) {
  const personalPage = (index: string, condition: string) =>
    db.prepare<ListedColumns>(
      `SELECT CAST(m.id AS TEXT), m.kind, m.uid, m.created_at, m.read_at IS NOT NULL, CAST(m.body_id AS TEXT), b.text
       FROM message m INDEXED BY ${index} CROSS JOIN body b ON b.id = m.body_id
       WHERE m.uid = ? AND m.kind = ? AND m.id < ? AND m.expires_at > ? ${condition}
       ORDER BY m.id DESC LIMIT ?`,
    );
  const listPersonal = personalPage('message_user', '');
  const listPersonalUnread = personalPage('message_unread', 'AND m.read_at IS NULL');
  const noticePage = (condition: string) =>
    db.prepare<ListedColumns>(
      `SELECT CAST(m.id AS TEXT), m.kind, m.uid, m.created_at, r.read_at IS NOT NULL, CAST(m.body_id AS TEXT), b.text
       FROM message m INDEXED BY message_user
       LEFT JOIN receipt r ON r.message_id = m.id AND r.uid = ?
       CROSS JOIN body b ON b.id = m.body_id
       WHERE m.uid = ${EVERYBODY} AND m.kind = ${KIND_NUMBER.systemNotice} AND m.id < ? AND m.expires_at > ? ${condition}
       ORDER BY m.id DESC LIMIT ?`,
    );
  const listNotices = noticePage('');
  const listNoticesUnread = noticePage('AND r.read_at IS NULL');

  const countPersonal = db.prepare<readonly [number]>(
    `SELECT count(*) FROM message INDEXED BY message_unread
     WHERE uid = ? AND kind = ? AND read_at IS NULL AND expires_at > ?`,
  );
  const countNotices = db.prepare<readonly [number]>(
    `SELECT count(*) FROM message m INDEXED BY message_unread
     LEFT JOIN receipt r ON r.message_id = m.id AND r.uid = ?
     WHERE m.uid = ${EVERYBODY} AND m.kind = ${KIND_NUMBER.systemNotice} AND m.read_at IS NULL AND m.expires_at > ?
       AND r.read_at IS NULL`,
  );

  const readSets =
    'read_at = ?1, acked_at = ifnull(acked_at, ?1), sent_at = ifnull(sent_at, ?1), pending = 0';
  const readPersonalIds = db.prepare(
    `UPDATE message SET ${readSets}
     WHERE id IN (SELECT value FROM json_each(?2)) AND +uid = ?3 AND read_at IS NULL`,
  );
  const readPersonalKind = db.prepare(
    `UPDATE message INDEXED BY message_unread SET ${readSets}
     WHERE uid = ?2 AND kind = ?3 AND read_at IS NULL AND expires_at > ?4`,
  );
  const readReceipt = `ON CONFLICT (message_id, uid) DO UPDATE
     SET read_at = excluded.read_at, acked_at = ifnull(acked_at, excluded.acked_at), pending = 0 WHERE read_at IS NULL`;
  const readNoticeIds = db.prepare(
    `INSERT INTO receipt (message_id, uid, pending, sent_at, acked_at, read_at)
     SELECT m.id, ?1, 0, ?2, ?2, ?2 FROM json_each(?3) j CROSS JOIN message m ON m.id = j.value
     WHERE m.uid = ${EVERYBODY} ${readReceipt}`,
  );
  const readNotices = db.prepare(
    `INSERT INTO receipt (message_id, uid, pending, sent_at, acked_at, read_at)
     SELECT m.id, ?1, 0, ?2, ?2, ?2 FROM message m INDEXED BY message_unread
     WHERE m.uid = ${EVERYBODY} AND m.kind = ${KIND_NUMBER.systemNotice} AND m.read_at IS NULL AND m.expires_at > ?3 ${readReceipt}`,
  );

  return {
    list({ uid, kinds, unread, cursor, limit, now }: ListArgs): ListAnswer {
      const below = BigInt(cursor);
      const found: ListedColumns[] = [];
      for (const kind of PERSONAL_KINDS)
        if (kinds.includes(kind))
          found.push(...(unread ? listPersonalUnread : listPersonal).all(uid, kind, below, now, limit + 1));
      if (kinds.includes(KIND_NUMBER.systemNotice))
        found.push(...(unread ? listNoticesUnread : listNotices).all(uid, below, now, limit + 1));
      // Ids have 19 digits each, so they sort as text.
      found.sort((a, b) => (a[0] > b[0] ? -1 : 1));
      const page = found.slice(0, limit);
      const items = new ItemRowsBuilder();
      for (const [id, kind, owner, createdAt, , bodyId, text] of page)
        items.add(id, kind, owner, createdAt, { id: bodyId, text });
      return { items: items.build(), read: page.map((row) => row[4] === 1), more: found.length > limit };
    },

    unread({ uid, now }: { readonly uid: number; readonly now: number }): UnreadCounts {
      const comment = countPersonal.get(uid, KIND_NUMBER.comment, now)?.[0] ?? 0;
      const userNotice = countPersonal.get(uid, KIND_NUMBER.userNotice, now)?.[0] ?? 0;
      const systemNotice = countNotices.get(uid, now)?.[0] ?? 0;
      return { comment, userNotice, systemNotice, total: comment + userNotice + systemNotice };
    },

    read({ uid, ids, kinds, at, now }: ReadArgs): number {
      if (ids !== null) return readPersonalIds.run(at, ids, uid) + readNoticeIds.run(uid, at, ids);
      let changed = 0;
      for (const kind of PERSONAL_KINDS)
        if (kinds.includes(kind)) changed += readPersonalKind.run(at, uid, kind, now);
      if (kinds.includes(KIND_NUMBER.systemNotice)) changed += readNotices.run(uid, at, now);
      return changed;
    },
  };
}
