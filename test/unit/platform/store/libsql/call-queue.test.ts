import { describe, expect, test } from 'vitest';
import type { Call, CallName } from '../../../../../src/platform/store/libsql/store-calls.js';
import {
  CallQueue,
  GROUP_BYTES_MAX,
  GROUP_ROWS_MAX,
  type Group,
} from '../../../../../src/platform/store/libsql/thread/call-queue.js';
import { momentOf } from '../../../../../src/shared/base/clock.js';

let seq = 0;

function write(rows = 1, bytes = 100): Call {
  seq += 1;
  return { seq, name: 'probe', args: { at: 0 }, rows, bytes, calledAt: momentOf(0) };
}

function read(): Call {
  seq += 1;
  return { seq, name: 'pendingCount', args: null, rows: 1, bytes: 100, calledAt: momentOf(0) };
}

const names = (calls: readonly Call[]): CallName[] => calls.map(({ name }) => name);

function groupsOf(calls: readonly Call[]): Group[] {
  const queue = new CallQueue();
  queue.push(calls);
  const groups: Group[] = [];
  for (let group = queue.next(); group !== null; group = queue.next()) groups.push(group);
  return groups;
}

describe('the queue of the store thread', () => {
  test('has no group when it is empty', () => {
    expect(groupsOf([])).toEqual([]);
  });

  test('makes one group of what is there: reads before, changes, reads after', () => {
    const calls = [read(), read(), write(), read(), write(), read()];
    const [group, ...more] = groupsOf(calls);
    expect(more).toEqual([]);
    expect(group?.readsBefore).toEqual(calls.slice(0, 2));
    expect(group?.writes).toEqual([calls[2], calls[4]]);
    expect(group?.readsAfter).toEqual([calls[3], calls[5]]);
  });

  test('starts another group when one more call would pass a limit, and keeps the order', () => {
    const half = GROUP_ROWS_MAX / 2;
    const calls = [write(half), write(half), read(), write(1), read(), write(1, GROUP_BYTES_MAX)];
    const groups = groupsOf(calls);
    expect(groups.map(({ writes }) => writes.length)).toEqual([2, 1, 1]);
    expect(
      groups.flatMap(({ readsBefore, writes, readsAfter }) => [...readsBefore, ...writes, ...readsAfter]),
    ).toEqual(calls);
  });

  test('never lets a read stand before a change that was called before it', () => {
    const calls = [write(GROUP_ROWS_MAX), write(), read(), write(GROUP_ROWS_MAX), read()];
    const groups = groupsOf(calls);
    expect(groups.map(({ writes, readsAfter }) => [names(writes).length, names(readsAfter).length])).toEqual([
      [1, 0],
      [1, 1],
      [1, 1],
    ]);
  });

  test('lets a single call of any size through', () => {
    const [group] = groupsOf([write(300_000, 10 * GROUP_BYTES_MAX), write()]);
    expect(group?.writes.length).toBe(1);
  });
});
