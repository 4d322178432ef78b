import { expect, test } from 'vitest';
import { textOf } from '../../../../../src/platform/store/mysql/literals.js';
import { lockInOrder, lockOf } from '../../../../../src/platform/store/mysql/lock-order.js';
import type { Session } from '../../../../../src/platform/store/mysql/session.js';
import type { Statement } from '../../../../../src/platform/store/mysql/statements.js';
import { idOf } from '../../../../support/messages.js';

test('the lock of a key is the same in every process, whatever its version', () => {
  expect(lockOf({ kind: 1, uid: 42, key: 'thread-7' })).toBe(3618);
  expect(lockOf({ kind: 1, uid: 42, key: '中' })).toBe(2781);
});

test('keys lie well apart', () => {
  const locks = new Set(
    Array.from({ length: 1000 }, (_, i) => lockOf({ kind: 1, uid: i, key: `thread-${i % 7}` })),
  );
  expect(locks.size).toBeGreaterThan(800);
});

/** Answers every SELECT of owners with user 1, and keeps what it was sent. */
function recording(): { session: Session; sent: string[] } {
  const sent: string[] = [];
  const note = (statement: Statement) => sent.push(textOf(statement).trim().replace(/\s+/g, ' '));
  const session: Session = {
    packetBytesMax: 1_000_000,
    rows: async <Row>(statement: Statement) => {
      note(statement);
      const ids = [...textOf(statement).matchAll(/16000\d+/g)].map(([id]) => ({ id, uid: '1' }));
      return (textOf(statement).startsWith('SELECT id, uid') ? ids : []) as Row[];
    },
    run: async (statement) => {
      note(statement);
      return 0;
    },
    exec: async () => {},
  };
  return { session, sent };
}

test('locks keys by the number of their lock and rows by their id, once each', async () => {
  const { session, sent } = recording();
  const keys = ['a', 'b', 'c', 'a'].map((key) => ({ kind: 1, uid: 1, key }));
  await lockInOrder(session, [{ ids: [idOf(3), idOf(1)] }, { keys }, { ids: [idOf(2), idOf(3)] }]);
  const locks = [...(sent[0] ?? '').matchAll(/\((\d+),2,0,/g)].map(([, lock]) => Number(lock));
  expect(locks).toEqual([...new Set(keys.map(lockOf))].sort((a, b) => a - b));
  const last = sent.at(-1) ?? '';
  expect(last).toContain(`IN (${[1, 2, 3].map(idOf).join(', ')}) ORDER BY id FOR UPDATE`);
});

test('asks nothing for messages that touch none, and locks no rows for a single change', async () => {
  const none = recording();
  await lockInOrder(none.session, []);
  expect(none.sent).toEqual([]);
  const one = recording();
  await lockInOrder(one.session, [{ ids: [idOf(1), idOf(2)] }]);
  expect(one.sent.filter((text) => text.includes('FOR UPDATE'))).toEqual([]);
});
