/**
 * Messages, their texts, receipts of notices, releases of the crontab jobs.
 *
 * - `message` is one user's copy (uid 0: everybody's); its rows are small, because acknowledging rewrites them.
 *   pending: 1 still to be delivered to its user, 2 the same for everybody, 0 settled or replaced.
 *   due: 0 at once, else the number of the release of its kind that lets it out.
 * - `body` is what it says, shared by the copies of one call, and goes with the last of them.
 * - `receipt` is what one user did with a notice for everybody; (message, user), so that the receipts of one broadcast
 *   lie together and go together.
 * - `released` counts the runs of each kind's job. Counting, not time or ids, makes "accepted before the job ran" exact:
 *   all writers pass one after the other, while clocks differ and ids are taken before their commit.
 *
 * The partial indexes hold only what is still of interest, so they stay as small as that.
 */
import type { Migration } from './migration.js';

export const messages: Migration = {
  version: 1,
  sql: `
    CREATE TABLE body (
      id INTEGER PRIMARY KEY,
      copies INTEGER NOT NULL,
      text TEXT NOT NULL
    ) STRICT;

    CREATE TABLE message (
      id INTEGER PRIMARY KEY,
      uid INTEGER NOT NULL,
      kind INTEGER NOT NULL,
      body_id INTEGER NOT NULL,
      pending INTEGER NOT NULL,
      due INTEGER NOT NULL,
      created_at INTEGER NOT NULL,
      expires_at INTEGER NOT NULL,
      sent_at INTEGER,
      acked_at INTEGER,
      read_at INTEGER,
      caller_key TEXT,
      collapse_key TEXT
    ) STRICT;
    CREATE INDEX message_user ON message (uid, kind);
    CREATE INDEX message_unread ON message (uid, kind, id, expires_at, read_at) WHERE read_at IS NULL;
    CREATE INDEX message_pending ON message (uid, kind) WHERE pending = 1;
    CREATE INDEX message_expires ON message (expires_at);
    CREATE UNIQUE INDEX message_caller ON message (uid, kind, caller_key) WHERE caller_key IS NOT NULL;
    CREATE INDEX message_collapse ON message (uid, kind, collapse_key)
      WHERE collapse_key IS NOT NULL AND pending > 0;

    CREATE TABLE receipt (
      message_id INTEGER NOT NULL,
      uid INTEGER NOT NULL,
      pending INTEGER NOT NULL,
      sent_at INTEGER NOT NULL,
      acked_at INTEGER,
      read_at INTEGER,
      PRIMARY KEY (message_id, uid)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE released (
      kind INTEGER PRIMARY KEY,
      number INTEGER NOT NULL,
      last_at INTEGER
    ) STRICT;
    INSERT INTO released (kind, number) VALUES (1, 0), (2, 0), (3, 0);

    CREATE TABLE probe (
      id INTEGER PRIMARY KEY,
      at INTEGER NOT NULL
    ) STRICT;
    INSERT INTO probe (id, at) VALUES (1, 0);
  `,
};
