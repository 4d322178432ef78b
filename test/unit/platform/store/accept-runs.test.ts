import { describe, expect, test } from 'vitest';
import {
  type AcceptArgs,
  DUPLICATE,
  decodeAccepted,
  encodeAccept,
  SLICE_ROWS,
  UNSENT,
} from '../../../../src/platform/store/accept-runs.js';
import type { DataText, NewMessage } from '../../../../src/shared/domain/message.js';
import { newMessage } from './libsql/thread-store.js';

function encode(messages: readonly NewMessage[]): { args: AcceptArgs; pauses: number } {
  let id = 100n;
  const encoding = encodeAccept(messages, { next: () => id++, raiseTo() {} }, 5);
  for (let pauses = 0; ; pauses += 1) {
    const step = encoding.next();
    if (step.done) return { args: step.value, pauses };
  }
}

describe('messages on their way to the store thread', () => {
  test('are one run while they differ in their user only', () => {
    const data = '{"a":1.0}' as DataText;
    const base = { ...newMessage(1), data };
    const { args } = encode([
      base,
      { ...base, uid: 2 },
      { ...base, uid: 3, title: 'other' },
      { ...base, uid: 4, title: 'other', collapse: 'k' },
      { ...base, uid: null, kind: 'systemNotice' },
    ]);
    expect(args.runs.map(({ uids }) => uids)).toEqual([[1, 2], [3], [4], [0]]);
    expect([...args.ids]).toEqual([100n, 101n, 102n, 103n, 104n]);
    expect(args.runs[0]?.body).toBe(`{"title":"t","content":"c","data":${data}}`);
  });

  test('pause after every slice', () => {
    const { args, pauses } = encode(Array.from({ length: 3 * SLICE_ROWS }, (_, i) => newMessage(1 + i)));
    expect(pauses).toBe(2);
    expect(args.runs.length).toBe(1);
    const answer = decodeAccepted({ ids: args.ids, flags: new Uint8Array(args.ids.length) });
    expect(answer.next().done).toBe(false);
    expect(answer.next().done).toBe(false);
    expect(answer.next().done).toBe(true);
  });

  test('come back with their ids and what they are', () => {
    const ids = BigInt64Array.of(1_600_000_000_000_000_000n, 1_600_000_000_000_000_001n);
    const answer = decodeAccepted({ ids, flags: Uint8Array.of(UNSENT, DUPLICATE) }).next();
    expect(answer.value).toEqual([
      { id: '1600000000000000000', duplicate: false, unsent: true },
      { id: '1600000000000000001', duplicate: true, unsent: false },
    ]);
  });

  test.each([
    ['a personal message for everybody', { uid: null }],
    ['a notice for one user', { kind: 'systemNotice' }],
    ['a user that is no number', { uid: Number.NaN }],
    ['user 0', { uid: 0 }],
    ['half a millisecond', { createdAt: 1.5 }],
    ['no end', { expiresAt: Number.POSITIVE_INFINITY }],
  ] as const)('are refused as our own bug: %s', (_, wrong) => {
    expect(() => encode([{ ...newMessage(1), ...wrong }])).toThrow(/assertion failed/);
  });
});
