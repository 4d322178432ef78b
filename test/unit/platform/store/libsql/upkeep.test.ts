import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AcceptArgs } from '../../../../../src/platform/store/accept-runs.js';
import { ID_ZERO } from '../../../../../src/shared/domain/message-id.js';
import { ThreadStore } from './thread-store.js';

let store: ThreadStore;
beforeEach(() => {
  store = new ThreadStore();
});
afterEach(() => store.dispose());

/** Accepts one run: one text to these users. */
function accept(uids: readonly number[], more: Partial<AcceptArgs['runs'][number]> = {}): void {
  const ids = BigInt64Array.from(uids, () => store.nextId());
  const run = {
    kind: 1,
    body: '{"title":"t","content":""}',
    callerKey: null,
    collapseKey: null,
    cron: false,
    createdAt: 0,
    expiresAt: 10,
    uids,
    ...more,
  };
  store.operations.accept({ runs: [run], ids, now: 0 });
}

const count = (table: string) => store.db.value(`SELECT count(*) FROM ${table}`);

describe('texts', () => {
  test('are stored once for all users of a run, and go with the last of their messages', () => {
    accept([1, 2, 3]);
    accept([4]);
    expect([count('message'), count('body')]).toEqual([4, 2]);
    for (const [messages, bodies] of [
      [3, 2],
      [2, 2],
      [1, 1],
      [0, 0],
    ]) {
      expect(store.operations.prune({ expiredBefore: 10, limit: 1 })).toBe(1);
      expect([count('message'), count('body')]).toEqual([messages, bodies]);
    }
  });

  test('are not stored for doubles, and belong to the copies that were', () => {
    accept([1, 2], { callerKey: 'k' });
    accept([1, 2, 3], { callerKey: 'k', body: '{"title":"new","content":""}' });
    accept([1, 2, 3], { callerKey: 'k' });
    expect([count('message'), count('body')]).toEqual([3, 2]);
    const { items } = store.operations.pending({
      uids: [1, 3],
      after: ID_ZERO,
      kinds: [1],
      notSentSince: 100,
      sentAtMax: 60_000,
      settledSince: null,
      limit: 10,
      now: 0,
    });
    expect(items.bodies.map((body) => JSON.parse(body).title)).toEqual(['t', 'new']);
    expect(store.operations.prune({ expiredBefore: 10, limit: 100 })).toBe(3);
    expect(count('body')).toBe(0);
  });
});

test('pruning a notice takes its receipts along', () => {
  accept([0], { kind: 3, expiresAt: 5 });
  accept([0], { kind: 3, expiresAt: 20 });
  store.operations.read({ uid: 7, ids: null, kinds: [3], at: 1, now: 1 });
  expect(count('receipt')).toBe(2);
  expect(store.operations.prune({ expiredBefore: 5, limit: 10 })).toBe(1);
  expect([count('message'), count('receipt')]).toEqual([1, 1]);
});

test('the probe writes and commits', () => {
  const other = store.other();
  const before = other.value('PRAGMA data_version');
  const { answers } = store.groups.run([store.call('probe', { at: 42 })]);
  expect(answers.map(({ ok }) => ok)).toEqual([true]);
  expect(other.value('PRAGMA data_version')).not.toBe(before);
  expect(other.value('SELECT at FROM probe')).toBe(42);
});

test('a user’s work leaves the messages of others alone, however many there are', () => {
  // 20,000 pending messages of others; the user asked for is found without walking through them.
  store.db.exec('BEGIN');
  for (let uid = 10; uid < 210; uid += 1) accept(Array.from({ length: 100 }, () => uid));
  store.db.exec('COMMIT');
  accept([1, 1]);
  const { users } = store.operations.pending({
    uids: [1, 2, 3],
    after: ID_ZERO,
    kinds: [1, 2, 3],
    notSentSince: 100,
    sentAtMax: 60_000,
    settledSince: null,
    limit: 50,
    now: 0,
  });
  expect(users).toEqual([{ uid: 1, count: 2 }]);
  expect(store.operations.pendingCount(null)).toBe(20_002);
});
