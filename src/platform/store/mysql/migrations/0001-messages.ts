/**
 * Messages, their texts, receipts of notices, releases of the crontab jobs, and the marks of the writers.
 *
 * - `spush_message` is one user's copy (uid 0: everybody's); its rows are small, because acknowledging rewrites them.
 *   state: 0 open, still to be delivered; 1 settled or replaced; 2 read. A notice for everybody never gets to 2.
 *   due: 0 at once, else the number of the release of its kind that lets it out.
 * - `spush_body` is what it says, shared by the copies of one call, and goes with the last of them.
 * - `spush_receipt` is what one user did with a notice for everybody; (message, user), so that the receipts of one broadcast
 *   lie together and go together.
 * - `spush_released` counts the runs of each kind's job.
 * - `spush_writer` has a row for each part of a living process: the number of its last group of changes, written by the
 *   group itself, so that after a connection lost during COMMIT the row tells whether it was kept (see group-commit.ts).
 *   Other rows of it are only ever locked (see writer-rows.ts).
 *
 * Rows are clustered by id, so new ones go to the end. `spush_message_state` finds what is pending of a user and answers what is
 * unread and listed without the rows; the state comes first, so that what is of interest lies apart from what is over. MySQL has no partial
 * indexes; an index on a key that most rows do not have is small in NULLs.
 *
 * The callers' keys are bytes: no collation that MySQL and MariaDB share compares text to the letter, trailing
 * blanks included.
 */
import type { Migration } from './migration.js';

const TABLE = 'ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin';

export const messages: Migration = {
  version: 1,
  statements: [
    `CREATE TABLE IF NOT EXISTS spush_body (
      id BIGINT UNSIGNED NOT NULL,
      copies INT NOT NULL,
      text MEDIUMTEXT NOT NULL,
      PRIMARY KEY (id)
    ) ${TABLE}`,
    `CREATE TABLE IF NOT EXISTS spush_message (
      id BIGINT UNSIGNED NOT NULL,
      uid BIGINT UNSIGNED NOT NULL,
      kind TINYINT UNSIGNED NOT NULL,
      state TINYINT UNSIGNED NOT NULL,
      body_id BIGINT UNSIGNED NOT NULL,
      due BIGINT UNSIGNED NOT NULL,
      created_at BIGINT NOT NULL,
      expires_at BIGINT NOT NULL,
      sent_at BIGINT NULL,
      acked_at BIGINT NULL,
      read_at BIGINT NULL,
      caller_key VARBINARY(1024) NULL,
      collapse_key VARBINARY(1024) NULL,
      PRIMARY KEY (id),
      KEY spush_message_state (state, uid, kind, id, expires_at, created_at, body_id),
      KEY spush_message_expires (expires_at),
      UNIQUE KEY spush_message_caller (caller_key, uid, kind),
      KEY spush_message_collapse (collapse_key, uid, kind, state)
    ) ${TABLE}`,
    `CREATE TABLE IF NOT EXISTS spush_receipt (
      message_id BIGINT UNSIGNED NOT NULL,
      uid BIGINT UNSIGNED NOT NULL,
      settled TINYINT UNSIGNED NOT NULL,
      sent_at BIGINT NOT NULL,
      acked_at BIGINT NULL,
      read_at BIGINT NULL,
      PRIMARY KEY (message_id, uid)
    ) ${TABLE}`,
    `CREATE TABLE IF NOT EXISTS spush_released (
      kind TINYINT UNSIGNED NOT NULL,
      number BIGINT UNSIGNED NOT NULL,
      last_at BIGINT NULL,
      PRIMARY KEY (kind)
    ) ${TABLE}`,
    'INSERT IGNORE INTO spush_released (kind, number) VALUES (1, 0), (2, 0), (3, 0)',
    `CREATE TABLE IF NOT EXISTS spush_writer (
      owner BIGINT UNSIGNED NOT NULL,
      part TINYINT UNSIGNED NOT NULL,
      number BIGINT UNSIGNED NOT NULL,
      at BIGINT NOT NULL,
      PRIMARY KEY (owner, part),
      KEY spush_writer_at (at)
    ) ${TABLE}`,
  ],
};
