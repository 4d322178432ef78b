/** What a spill needs beyond a store (see spill/spill-file.ts): reading rows as they are kept, letting go of those that were moved. */

import type { MessageId } from '../../../../shared/domain/message-id.js';
import { type AcceptAnswer, type AcceptArgs, DUPLICATE, UNSENT } from '../../accept-runs.js';
import type { SpilledReceipt } from '../../spill/spill-target.js';
import type { SpillMovedArgs, SpillRow, SpillSliceAnswer } from '../store-calls.js';
import type { Database } from './database.js';

/** Texts of one slice: they are in memory twice while it is moved. */
const SLICE_BYTES = 4 * 1024 * 1024;
/** The row of `probe` that says until when somebody moves; the first is for readiness. */
const LEASE = 2;
/** One that ends later than this from now was taken before the machine was started anew, and its clock with it. */
const LEASE_MS_MAX = 60_000;

/** id, uid, kind, body_id, due, released, pending, created_at, expires_at, sent_at, acked_at, read_at, caller_key, collapse_key */
type RowColumns = readonly [
  MessageId,
  number,
  number,
  string,
  number,
  number,
  number,
  number,
  number,
  number | null,
  number | null,
  number | null,
  string | null,
  string | null,
];
type ReceiptColumns = readonly [number, number, number, number | null, number | null];

export function spillOperations(db: Database) {
  const findDouble = db.prepare<readonly [bigint, bigint]>(
    `SELECT id, pending > 0 AND expires_at > ? AND sent_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM receipt WHERE message_id = message.id)
     FROM message INDEXED BY message_caller WHERE uid = ? AND kind = ? AND caller_key = ?`,
    { bigints: true },
  );
  const present = db.prepare<readonly [MessageId]>(
    'SELECT CAST(m.id AS TEXT) FROM json_each(?) j CROSS JOIN message m ON m.id = j.value',
  );
  const any = db.prepare<readonly [number]>('SELECT max(id) IS NOT NULL FROM message');
  const slice = db.prepare<RowColumns>(
    `SELECT CAST(m.id AS TEXT), m.uid, m.kind, CAST(m.body_id AS TEXT), m.due, m.due <= r.number, m.pending, m.created_at,
       m.expires_at, m.sent_at, m.acked_at, m.read_at, m.caller_key, m.collapse_key
     FROM message m CROSS JOIN released r ON r.kind = m.kind WHERE m.id > ? ORDER BY m.id LIMIT ?`,
  );
  const body = db.prepare<readonly [string]>('SELECT text FROM body WHERE id = ?');
  const receipts = db.prepare<ReceiptColumns>(
    'SELECT uid, pending, sent_at, acked_at, read_at FROM receipt WHERE message_id = ? ORDER BY uid LIMIT ?',
  );
  const deleteReceipt = db.prepare(
    `DELETE FROM receipt
     WHERE message_id = ? AND uid = ? AND (pending > 0) = ? AND sent_at = ? AND acked_at IS ? AND read_at IS ?`,
  );
  const deleteMessage = db.prepare(
    `DELETE FROM message
     WHERE id = ? AND (pending > 0) = ? AND expires_at = ? AND sent_at IS ? AND acked_at IS ? AND read_at IS ?
       AND (due <= (SELECT number FROM released WHERE kind = message.kind)) = ?
       AND NOT EXISTS (SELECT 1 FROM receipt WHERE message_id = message.id)`,
  );
  const deleteBody = db.prepare('DELETE FROM body WHERE id = ? AND copies <= ?');
  const keepBody = db.prepare('UPDATE body SET copies = copies - ? WHERE id = ?');
  const renameMessage = db.prepare('UPDATE message SET id = ? WHERE id = ?');
  const renameReceipts = db.prepare('UPDATE receipt SET message_id = ? WHERE message_id = ?');
  const lease = db.prepare(
    `INSERT INTO probe (id, at) VALUES (${LEASE}, ?)
     ON CONFLICT (id) DO UPDATE SET at = excluded.at WHERE at <= ? OR at = ? OR at > ?`,
  );
  let countMessages: { get(): readonly [number] | undefined } | null = null;

  return {
    spillDoubles({ runs, ids, now }: AcceptArgs): AcceptAnswer {
      const found = new BigInt64Array(ids.length);
      const flags = new Uint8Array(ids.length);
      let index = 0;
      for (const run of runs)
        for (const uid of run.uids) {
          const double =
            run.callerKey === null ? undefined : findDouble.get(now, uid, run.kind, run.callerKey);
          if (double !== undefined) {
            found[index] = double[0];
            flags[index] = DUPLICATE + (double[1] === 1n ? UNSENT : 0);
          }
          index += 1;
        }
      return { ids: found, flags };
    },

    spillPresent({ ids }: { readonly ids: string }): MessageId[] {
      return present.all(ids).map(([id]) => id);
    },

    /** Walks through what it counts, which is what there is to move, and is prepared for a spill only. */
    spillWaiting(): number {
      if (any.get()?.[0] !== 1) return 0;
      countMessages ??= db.prepare<readonly [number]>('SELECT count(*) FROM message');
      return countMessages.get()?.[0] ?? 0;
    },

    spillSlice({ after, limit }: { readonly after: MessageId; readonly limit: number }): SpillSliceAnswer {
      const rows: SpillRow[] = [];
      const bodies = new Map<string, string>();
      let bytes = 0;
      for (const row of slice.all(BigInt(after), limit)) {
        const bodyId = row[3];
        if (!bodies.has(bodyId)) {
          const text = body.get(BigInt(bodyId))?.[0] ?? '';
          bytes += text.length;
          if (rows.length > 0 && bytes > SLICE_BYTES) break;
          bodies.set(bodyId, text);
        }
        rows.push(rowOf(row));
      }
      return { rows, bodies };
    },

    spillReceipts({ id, limit }: { readonly id: MessageId; readonly limit: number }): SpilledReceipt[] {
      return receipts.all(BigInt(id), limit).map(([uid, pending, sentAt, ackedAt, readAt]) => ({
        id,
        uid,
        open: pending > 0,
        sentAt,
        ackedAt,
        readAt,
      }));
    },

    spillMoved(args: SpillMovedArgs): null {
      for (const { id, uid, open, sentAt, ackedAt, readAt } of args.receipts)
        deleteReceipt.run(BigInt(id), uid, open ? 1 : 0, sentAt, ackedAt, readAt);
      const gone = new Map<string, number>();
      for (const { id, bodyId, open, expiresAt, sentAt, ackedAt, readAt, released } of args.messages) {
        const deleted = deleteMessage.run(
          BigInt(id),
          open ? 1 : 0,
          expiresAt,
          sentAt,
          ackedAt,
          readAt,
          released ? 1 : 0,
        );
        if (deleted > 0) gone.set(bodyId, (gone.get(bodyId) ?? 0) + 1);
      }
      for (const [bodyId, copies] of gone)
        if (deleteBody.run(BigInt(bodyId), copies) === 0) keepBody.run(copies, BigInt(bodyId));
      return null;
    },

    spillRename({ from, to }: { readonly from: MessageId; readonly to: MessageId }): null {
      renameMessage.run(BigInt(to), BigInt(from));
      renameReceipts.run(BigInt(to), BigInt(from));
      return null;
    },

    spillLease({
      held,
      atMs,
      until,
    }: {
      readonly held: number;
      readonly atMs: number;
      readonly until: number;
    }): boolean {
      return lease.run(until, atMs, held, atMs + LEASE_MS_MAX) === 1;
    },
  };
}

function rowOf(row: RowColumns): SpillRow {
  const [id, uid, kind, bodyId, due, released, pending, createdAt, expiresAt, ...rest] = row;
  const [sentAt, ackedAt, readAt, callerKey, collapseKey] = rest;
  return {
    id,
    uid,
    kind,
    bodyId,
    cron: due > 0,
    released: released === 1,
    open: pending > 0,
    createdAt,
    expiresAt,
    sentAt,
    ackedAt,
    readAt,
    callerKey,
    collapseKey,
  };
}
