import { describe, expect, test } from 'vitest';
import type { Call } from '../../../../../src/platform/store/libsql/store-calls.js';
import {
  CallQueue,
  GROUP_BYTES_MAX,
  GROUP_ROWS_MAX,
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

/** What is taken, round by round: a group of changes, then every read that may stand there. */
function roundsOf(queue: CallQueue): { writes: readonly Call[]; reads: Call[] }[] {
  const rounds = [];
  for (;;) {
    const writes = queue.nextWrites();
    const reads: Call[] = [];
    for (let read = queue.nextRead(); read !== null; read = queue.nextRead()) reads.push(read);
    if (writes.length + reads.length === 0) return rounds;
    rounds.push({ writes, reads });
  }
}

function queueOf(calls: readonly Call[]): CallQueue {
  const queue = new CallQueue();
  queue.push(calls);
  return queue;
}

describe('the queue of the store thread', () => {
  test('has nothing when it is empty', () => {
    expect(roundsOf(queueOf([]))).toEqual([]);
  });

  test('takes all changes together, before the reads', () => {
    const calls = [read(), read(), write(), read(), write(), read()];
    expect(roundsOf(queueOf(calls))).toEqual([
      { writes: [calls[2], calls[4]], reads: [calls[0], calls[1], calls[3], calls[5]] },
    ]);
  });

  test('a change that comes while thousands of reads wait is next', () => {
    const queue = queueOf(Array.from({ length: 5000 }, read));
    expect(queue.nextWrites()).toEqual([]);
    for (let n = 0; n < 1500; n += 1) expect(queue.nextRead()).not.toBeNull();
    const change = write();
    queue.push([change]);
    expect(queue.nextWrites()).toEqual([change]);
    expect(roundsOf(queue).map(({ reads }) => reads.length)).toEqual([3500]);
  });

  test('starts another group when one more call would pass a limit, and keeps the order', () => {
    const half = GROUP_ROWS_MAX / 2;
    const calls = [write(half), write(half), write(1), write(1, GROUP_BYTES_MAX)];
    const rounds = roundsOf(queueOf(calls));
    expect(rounds.map(({ writes }) => writes.length)).toEqual([2, 1, 1]);
    expect(rounds.flatMap(({ writes }) => writes)).toEqual(calls);
  });

  test('never lets a read stand before a change that was called before it', () => {
    const calls = [write(GROUP_ROWS_MAX), write(), read(), write(GROUP_ROWS_MAX), read()];
    expect(roundsOf(queueOf(calls)).map(({ writes, reads }) => [writes.length, reads])).toEqual([
      [1, []],
      [1, [calls[2]]],
      [1, [calls[4]]],
    ]);
  });

  test('lets a single call of any size through', () => {
    expect(queueOf([write(300_000, 10 * GROUP_BYTES_MAX), write()]).nextWrites()).toHaveLength(1);
  });
});
