/** What the contract says of a user’s inbox: reading, listing, the state of one message. */
import { describe, expect, test } from 'vitest';
import type { MessageId } from '../../src/shared/domain/message-id.js';
import { type Contract, DAY_MS, UNKNOWN } from './message-store-bench.js';

export function describeInbox({
  acceptOne,
  accept,
  clock,
  listedIds,
  message,
  openStore,
  pendingIds,
  stateOf,
}: Contract): void {
  describe('reading', () => {
    test('by ids counts what changed and settles delivery', async () => {
      const store = await openStore();
      const ids = await accept(store, message(1), message(null), message(2));
      expect(await store.read(1, { ids: [...ids, UNKNOWN] }, clock.now())).toBe(2);
      expect(await store.read(1, { ids }, clock.now())).toBe(0);
      expect(await store.ack(1, ids, clock.now())).toBe(0);
      expect(await pendingIds(store, 1)).toEqual([]);
      expect(await store.unread(2)).toEqual({ comment: 1, userNotice: 0, systemNotice: 1, total: 2 });
    });

    test('by kind and all means what is stored and not expired at that moment', async () => {
      const store = await openStore();
      await accept(
        store,
        message(1),
        message(1),
        message(1, { expiresAt: clock.now() + 5 }),
        message(1, { kind: 'userNotice' }),
        message(null),
        message(null),
        message(2),
      );
      clock.advance(5);
      expect(await store.read(1, { kind: 'comment' }, clock.now())).toBe(2);
      expect(await store.unread(1)).toEqual({ comment: 0, userNotice: 1, systemNotice: 2, total: 3 });
      expect(await store.read(1, { kind: 'systemNotice' }, clock.now())).toBe(2);
      expect(await store.read(1, { all: true }, clock.now())).toBe(1);
      expect(await store.read(1, { all: true }, clock.now())).toBe(0);
      await acceptOne(store, message(1));
      expect((await store.unread(1)).total).toBe(1);
      expect((await store.unread(2)).total).toBe(3);
    });
  });

  describe('the list', () => {
    test('shows read and unread, newest first, by pages', async () => {
      const store = await openStore();
      const ids = await accept(
        store,
        message(1),
        message(null),
        message(1, { kind: 'userNotice' }),
        message(1),
      );
      const [a, b, c, d] = ids;
      if (!a || !b || !c || !d) throw new Error('too few ids');
      await store.read(1, { ids: [b, d] }, clock.now());
      const first = await store.list(1, { limit: 3 });
      expect(first.items.map(({ id, read }) => [id, read])).toEqual([
        [d, true],
        [c, false],
        [b, true],
      ]);
      expect(first.next).toBe(b);
      const second = await store.list(1, { limit: 3, cursor: first.next ?? UNKNOWN });
      expect(second.items.map(({ id }) => id)).toEqual([a]);
      expect(second.next).toBe(null);
      expect(await listedIds(store, 1, { unread: true })).toEqual([c, a]);
      expect(await listedIds(store, 1, { kind: 'comment' })).toEqual([d, a]);
      expect(await listedIds(store, 3)).toEqual([b]);
    });

    test('has no further page when the last one was just full', async () => {
      const store = await openStore();
      await accept(store, message(1), message(1));
      expect((await store.list(1, { limit: 2 })).next).toBe(null);
      expect((await store.list(1, { limit: 1 })).next).not.toBe(null);
      expect(await store.list(2, { limit: 1 })).toEqual({ items: [], next: null });
    });
  });

  describe('the state of a message', () => {
    test('goes from pending to sent, acked and read, with its times', async () => {
      const store = await openStore();
      const id = await acceptOne(store, message(7, { kind: 'userNotice', deliver: 'cron' }));
      const created = clock.now();
      const status = {
        id,
        kind: 'userNotice',
        uid: 7,
        state: 'pending',
        deliver: 'cron',
        createdAt: created,
        expiresAt: created + 7 * DAY_MS,
        sentAt: null,
        ackedAt: null,
        readAt: null,
      };
      expect(await store.status(id)).toEqual(status);
      await store.markSent([{ uid: 7, id, settled: false }], created + 1);
      expect(await store.status(id)).toEqual({ ...status, state: 'sent', sentAt: created + 1 });
      await store.ack(7, [id], created + 2);
      await store.markSent([{ uid: 7, id, settled: false }], created + 3);
      const acked = { ...status, state: 'acked', sentAt: created + 1, ackedAt: created + 2 };
      expect(await store.status(id)).toEqual(acked);
      await store.read(7, { all: true }, created + 4);
      expect(await store.status(id)).toEqual({ ...acked, state: 'read', readAt: created + 4 });
      clock.advance(8 * DAY_MS);
      expect(await stateOf(store, id)).toBe('read');
    });

    test('of an acknowledgement without a mark implies sent; of a mark for another user nothing', async () => {
      const store = await openStore();
      const id = await acceptOne(store, message(7));
      await store.markSent([{ uid: 8, id, settled: true }], clock.now());
      expect(await stateOf(store, id)).toBe('pending');
      await store.ack(7, [id], clock.now());
      expect((await store.status(id))?.sentAt).toBe(clock.now());
    });

    test('of a notice counts receipts and tells the best', async () => {
      const store = await openStore();
      const id = await acceptOne(store, message(null));
      expect(await store.status(id)).toMatchObject({
        uid: null,
        state: 'pending',
        sentAt: null,
        receipts: { sent: 0, acked: 0, read: 0 },
      });
      await store.markSent(
        [1, 2, 3, 4].map((uid) => ({ uid, id, settled: uid === 4 })),
        clock.now(),
      );
      expect(await stateOf(store, id)).toBe('sent');
      await store.ack(2, [id], clock.now());
      await store.ack(5, [id], clock.now());
      await store.read(3, { kind: 'systemNotice' }, clock.now());
      expect(await store.status(id)).toMatchObject({
        state: 'read',
        sentAt: clock.now(),
        receipts: { sent: 5, acked: 3, read: 1 },
      });
    });

    test('is expired when time ran out and nobody acknowledged; unknown ids have none', async () => {
      const store = await openStore();
      const [never, sent, acked] = await accept(store, message(1), message(1), message(1));
      if (!never || !sent || !acked) throw new Error('too few ids');
      await store.markSent([{ uid: 1, id: sent, settled: false }], clock.now());
      await store.ack(1, [acked], clock.now());
      clock.advance(7 * DAY_MS);
      expect(await stateOf(store, never)).toBe('expired');
      expect(await stateOf(store, sent)).toBe('expired');
      expect(await stateOf(store, acked)).toBe('acked');
      expect(await store.status(UNKNOWN)).toBe(null);
      expect(await store.status('1' as MessageId)).toBe(null);
    });
  });
}
