/** What the rest asks: the state of one message, the runs of the jobs, deleting what is over, counting, probing. */

import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { MessageStatus } from '../../../../shared/domain/message.js';
import type { MessageId } from '../../../../shared/domain/message-id.js';
import { EVERYBODY, kindOf } from '../../kind-number.js';
import { stateOf } from '../../message-facts.js';
import type { Database } from './database.js';
import { storeNoRoom } from './store-faults.js';

/** kind, uid, due, created_at, expires_at, sent_at, acked_at, read_at */
type StatusColumns = readonly [
  number,
  number,
  number,
  number,
  number,
  number | null,
  number | null,
  number | null,
];
/** Receipts: all, acknowledged, read, and the first moment of each. */
type ReceiptColumns = readonly [number, number, number, number | null, number | null, number | null];

/**
 * Less room than this on the disk is no room. A probe's one page would long fit into the log's used space, when a call of the
 * greatest size the API takes does not fit any more.
 */
export const ROOM_BYTES_MIN = 2 * 1024 * 1024;

export function upkeepOperations(db: Database, file: string) {
  const message = db.prepare<StatusColumns>(
    `SELECT kind, uid, due, created_at, expires_at, sent_at, acked_at, read_at FROM message WHERE id = ?`,
  );
  const receipts = db.prepare<ReceiptColumns>(
    `SELECT count(*), count(acked_at), count(read_at), min(sent_at), min(acked_at), min(read_at)
     FROM receipt WHERE message_id = ?`,
  );
  const release = db.prepare(
    'UPDATE released SET number = number + 1, last_at = max(ifnull(last_at, 0), ?) WHERE kind = ?',
  );

  const expired = db.prepare<readonly [string, number, string]>(
    `SELECT CAST(id AS TEXT), uid, CAST(body_id AS TEXT) FROM message INDEXED BY message_expires
     WHERE expires_at <= ? ORDER BY expires_at LIMIT ?`,
  );
  const deleteMessage = db.prepare('DELETE FROM message WHERE id = ?');
  const deleteReceipts = db.prepare('DELETE FROM receipt WHERE message_id = ?');
  const deleteBody = db.prepare('DELETE FROM body WHERE id = ? AND copies <= ?');
  const keepBody = db.prepare('UPDATE body SET copies = copies - ? WHERE id = ?');

  const countPending = db.prepare<readonly [number]>(
    'SELECT count(*) FROM message INDEXED BY message_pending WHERE pending = 1',
  );
  const probe = db.prepare('UPDATE probe SET at = ? WHERE id = 1');

  return {
    status({ id, now }: { readonly id: MessageId; readonly now: number }): MessageStatus | null {
      const row = message.get(BigInt(id));
      if (row === undefined) return null;
      const [kind, uid, due, createdAt, expiresAt, sentAt, ackedAt, readAt] = row;
      const common = {
        id,
        kind: kindOf(kind),
        deliver: due === 0 ? 'now' : 'cron',
        createdAt,
        expiresAt,
      } as const;
      if (uid !== EVERYBODY) {
        const times = { sentAt, ackedAt, readAt };
        return { ...common, uid, state: stateOf(times, expiresAt <= now), ...times };
      }
      const [sent, acked, read, firstSentAt, firstAckedAt, firstReadAt] = receipts.get(BigInt(id)) ?? [
        0,
        0,
        0,
        null,
        null,
        null,
      ];
      const times = { sentAt: firstSentAt, ackedAt: firstAckedAt, readAt: firstReadAt };
      return {
        ...common,
        uid: null,
        state: stateOf(times, expiresAt <= now),
        ...times,
        receipts: { sent, acked, read },
      };
    },

    release({ kind, at }: { readonly kind: number; readonly at: number }): null {
      release.run(at, kind);
      return null;
    },

    prune({ expiredBefore, limit }: { readonly expiredBefore: number; readonly limit: number }): number {
      const rows = expired.all(expiredBefore, limit);
      const copiesGone = new Map<string, number>();
      for (const [id, uid, bodyId] of rows) {
        if (uid === EVERYBODY) deleteReceipts.run(BigInt(id));
        deleteMessage.run(BigInt(id));
        copiesGone.set(bodyId, (copiesGone.get(bodyId) ?? 0) + 1);
      }
      for (const [bodyId, copies] of copiesGone)
        if (deleteBody.run(BigInt(bodyId), copies) === 0) keepBody.run(copies, BigInt(bodyId));
      return rows.length;
    },

    pendingCount(): number {
      return countPending.get()?.[0] ?? 0;
    },

    probe({ at }: { readonly at: number }): null {
      const disk = statfsSync(dirname(file));
      const room = disk.bavail * disk.bsize;
      if (room < ROOM_BYTES_MIN) throw storeNoRoom(file, room);
      probe.run(at);
      return null;
    },
  };
}
