import { afterAll, beforeAll, expect, test } from 'vitest';
import { ThreadStore } from './thread-store.js';

/**
 * Whole walks that are meant: a JSON list that was given, the three rows of releases, one row of the probe, and rows that an
 * index has found and a LIMIT has bounded, which are counted.
 */
const MEANT = [
  /^SCAN (json_each|j) VIRTUAL TABLE/,
  /^SCAN released$/,
  /^SCAN CONSTANT ROW$/,
  /^SCAN \(subquery-\d+\)$/,
];
/** Readiness and status count what is pending; only that is in the index. */
const COUNTS_PENDING = /^SELECT count\(\*\) FROM message INDEXED BY message_pending WHERE pending = 1$/;

let store: ThreadStore;
beforeAll(() => {
  store = new ThreadStore();
});
afterAll(() => store.dispose());

function planOf(sql: string): string[] {
  const rows = store.db
    .prepare<readonly [number, number, number, string]>(`EXPLAIN QUERY PLAN ${sql}`)
    .all(...Array<null>(parameters(sql)).fill(null));
  return rows.map((row) => row[3]);
}

function parameters(sql: string): number {
  const numbered = [...sql.matchAll(/\?(\d+)/g)].map((match) => Number(match[1]));
  return Math.max(0, ...numbered, [...sql.matchAll(/\?(?!\d)/g)].length);
}

const texts = () =>
  [...new Set(store.db.prepared)].filter(
    (sql) => /^\s*(SELECT|INSERT|UPDATE|DELETE)/.test(sql) && !/sqlite_schema/.test(sql),
  );

test('no query walks through a table: what is asked costs what is asked for', () => {
  expect(texts().length).toBeGreaterThan(25);
  for (const sql of texts()) {
    if (COUNTS_PENDING.test(sql)) continue;
    const walks = planOf(sql).filter(
      (step) => step.startsWith('SCAN') && !MEANT.some((meant) => meant.test(step)),
    );
    expect(walks, sql).toEqual([]);
  }
});

test('no query sorts: the indexes are in the order that is asked for', () => {
  for (const sql of texts()) {
    const sorts = planOf(sql).filter((step) => step.includes('TEMP B-TREE'));
    expect(sorts, sql).toEqual([]);
  }
});

test('what a user has pending is one range of the index of pending messages', () => {
  const sql = texts().find((text) => /message_pending/.test(text) && /ORDER BY/.test(text));
  expect(planOf(sql ?? '')).toEqual([
    'SEARCH m USING INDEX message_pending (uid=? AND kind=? AND rowid>?)',
    'SEARCH b USING INTEGER PRIMARY KEY (rowid=?)',
  ]);
});

test('unread messages are counted in an index alone', () => {
  const sql = texts().find((text) => /count\(\*\) FROM message INDEXED BY message_unread\s+WHERE/.test(text));
  expect(planOf(sql ?? '')).toEqual([
    'SEARCH message USING COVERING INDEX message_unread (uid=? AND kind=?)',
  ]);
});

test('pending messages are counted in their partial index alone', () => {
  const sql = texts().find((text) => COUNTS_PENDING.test(text));
  expect(planOf(sql ?? '')).toEqual(['SCAN message USING COVERING INDEX message_pending']);
});
