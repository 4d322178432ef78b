/** `accept`: stores runs of messages, finds doubles by the caller's key, lets newer ones replace older pending ones. */

import { assert } from '../../../../shared/base/assert.js';
import { type AcceptAnswer, type AcceptArgs, DUPLICATE, type Run, UNSENT } from '../../accept-runs.js';
import { EVERYBODY } from '../../kind-number.js';
import type { Database } from './database.js';
import { resultCode, SQLITE, storeIdTaken } from './store-faults.js';

export function acceptOperations(db: Database, file: string) {
  const insertBody = db.prepare('INSERT INTO body (id, copies, text) VALUES (?, ?, ?)');
  const insertMessage = db.prepare(
    `INSERT INTO message (id, uid, kind, body_id, pending, due, created_at, expires_at, caller_key, collapse_key)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (uid, kind, caller_key) WHERE caller_key IS NOT NULL DO NOTHING`,
  );
  /** Unsent: still pending, not expired, and never written to anybody's socket. */
  const findDouble = db.prepare<readonly [bigint, bigint]>(
    `SELECT id, pending > 0 AND expires_at > ? AND sent_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM receipt WHERE message_id = message.id)
     FROM message INDEXED BY message_caller WHERE uid = ? AND kind = ? AND caller_key = ?`,
    { bigints: true },
  );
  const expireOlder = db.prepare(
    `UPDATE message INDEXED BY message_collapse SET pending = 0, expires_at = min(expires_at, ?)
     WHERE uid = ? AND kind = ? AND collapse_key = ? AND pending > 0 AND id <> ?`,
  );
  const lastRelease = db.prepare<readonly [number]>('SELECT number FROM released WHERE kind = ?');

  /** Cron messages wait for the next run of their job, so for one more than there were. */
  function dueOf(run: Run): number {
    if (!run.cron) return 0;
    const row = lastRelease.get(run.kind);
    assert(row !== undefined, `kind ${run.kind} has no row of releases`);
    return row[0] + 1;
  }

  function insert(run: Run, due: number, uid: number, id: bigint, bodyId: bigint): boolean {
    const pending = uid === EVERYBODY ? 2 : 1;
    try {
      return (
        insertMessage.run(
          id,
          uid,
          run.kind,
          bodyId,
          pending,
          due,
          run.createdAt,
          run.expiresAt,
          run.callerKey,
          run.collapseKey,
        ) === 1
      );
    } catch (error) {
      if (resultCode(error) === SQLITE.CONSTRAINT) throw storeIdTaken(file, error);
      throw error;
    }
  }

  return {
    accept({ runs, ids, now }: AcceptArgs): AcceptAnswer {
      const stored = new BigInt64Array(ids);
      const flags = new Uint8Array(ids.length);
      let index = 0;
      for (const run of runs) {
        const due = dueOf(run);
        let bodyId: bigint | null = null;
        let copies = 0;
        for (const uid of run.uids) {
          const id = ids[index];
          assert(id !== undefined, `row ${index} came without an id`);
          if (insert(run, due, uid, id, bodyId ?? id)) {
            bodyId ??= id;
            copies += 1;
            if (run.collapseKey !== null) expireOlder.run(now, uid, run.kind, run.collapseKey, id);
            flags[index] = UNSENT;
          } else {
            const first = findDouble.get(now, uid, run.kind, run.callerKey);
            assert(first !== undefined, `message ${id} was neither stored nor a double`);
            stored[index] = first[0];
            flags[index] = DUPLICATE + (first[1] === 1n ? UNSENT : 0);
          }
          index += 1;
        }
        if (bodyId !== null) insertBody.run(bodyId, copies, run.body);
      }
      return { ids: stored, flags };
    },
  };
}
