/** What the contract says of looking at what is stored: the facts of a message, and what is pending of a user, counted. */
import { describe, expect, test } from 'vitest';
import type { KindBacklog } from '../../src/shared/domain/message.js';
import { type Contract, DAY_MS, UNKNOWN } from './message-store-bench.js';

const NONE: KindBacklog = { count: 0, sent: 0, held: 0, oldestAt: null };

export function describeInspecting({ acceptOne, accept, clock, message, openStore }: Contract): void {
  describe('the facts of a message', () => {
    test('are those of its status, its size and what it waits for', async () => {
      const store = await openStore();
      const id = await acceptOne(store, message(1, { title: '标题', content: 'c', deliver: 'cron' }));
      const { state, ...status } = (await store.status(id)) ?? { state: 'none' };
      expect(state).toBe('pending');
      expect(await store.inspect(id)).toEqual({
        ...status,
        receipts: null,
        state: 'pending',
        replacedBy: null,
        held: true,
        settled: false,
        bytes: Buffer.byteLength('{"title":"标题","content":"c"}'),
        storedIn: 'store',
      });
      await store.release('comment', clock.now());
      expect(await store.inspect(id)).toMatchObject({ held: false, state: 'pending' });
      await store.markSent([{ uid: 1, id, settled: false }], clock.now());
      expect(await store.inspect(id)).toMatchObject({ state: 'sent', settled: false });
      await store.ack(1, [id], clock.now());
      expect(await store.inspect(id)).toMatchObject({ state: 'acked', settled: true });
    });

    test('are unknown of what was never stored, or was pruned', async () => {
      const store = await openStore();
      expect(await store.inspect(UNKNOWN)).toBe(null);
      const id = await acceptOne(store, message(1, { expiresAt: clock.now() + 1 }));
      clock.advance(1);
      expect(await store.inspect(id)).toMatchObject({ state: 'expired', replacedBy: null });
      await store.prune(clock.now(), 10);
      expect(await store.inspect(id)).toBe(null);
    });

    test('tell which message took the place of one that was replaced', async () => {
      const store = await openStore();
      const first = await acceptOne(store, message(1, { collapse: 'k' }));
      const sent = await acceptOne(store, message(1, { collapse: 'k' }));
      await store.markSent([{ uid: 1, id: sent, settled: false }], clock.now());
      clock.advance(123);
      const last = await acceptOne(store, message(1, { collapse: 'k' }));
      await accept(store, message(2, { collapse: 'k' }), message(1, { collapse: 'other' }));
      expect(await store.inspect(first)).toMatchObject({
        state: 'replaced',
        replacedBy: sent,
        settled: true,
      });
      expect(await store.inspect(sent)).toMatchObject({ state: 'replaced', replacedBy: last });
      expect(await store.inspect(last)).toMatchObject({ state: 'pending', replacedBy: null });
      const notice = await acceptOne(store, message(null, { collapse: 'k' }));
      const newer = await acceptOne(store, message(null, { collapse: 'k' }));
      expect(await store.inspect(notice)).toMatchObject({ state: 'replaced', replacedBy: newer });
    });

    test('do not call replaced what reached a client that does not acknowledge, or what was acknowledged', async () => {
      const store = await openStore();
      const [reached, acked] = await accept(
        store,
        message(1, { collapse: 'a', expiresAt: clock.now() + DAY_MS }),
        message(1, { collapse: 'b', expiresAt: clock.now() + DAY_MS }),
      );
      if (!reached || !acked) throw new Error('too few ids');
      await store.markSent([{ uid: 1, id: reached, settled: true }], clock.now());
      await store.ack(1, [acked], clock.now());
      clock.advance(77);
      await accept(store, message(1, { collapse: 'a' }), message(1, { collapse: 'b' }));
      expect(await store.inspect(reached)).toMatchObject({ state: 'sent', settled: true, replacedBy: null });
      clock.advance(DAY_MS);
      expect(await store.inspect(reached)).toMatchObject({ state: 'expired', replacedBy: null });
      expect(await store.inspect(acked)).toMatchObject({ state: 'acked', replacedBy: null });
    });
  });

  describe('the backlog of a user', () => {
    test('counts what is pending by kind, what was sent and what waits for its job', async () => {
      const store = await openStore();
      const oldestAt = clock.now();
      const [sent, acked] = await accept(store, message(1), message(1));
      clock.advance(5);
      await accept(
        store,
        message(1, { deliver: 'cron' }),
        message(1, { expiresAt: clock.now() + 1 }),
        message(1, { kind: 'userNotice' }),
        message(2),
      );
      const [seen] = await accept(store, message(null), message(null), message(null, { deliver: 'cron' }));
      if (!sent || !acked || !seen) throw new Error('too few ids');
      const at = clock.now();
      await store.markSent([{ uid: 1, id: sent, settled: false }], at);
      await store.ack(1, [acked, seen], at);
      clock.advance(1);
      expect(await store.backlog(1)).toEqual({
        known: true,
        kinds: {
          comment: { count: 2, sent: 1, held: 1, oldestAt },
          userNotice: { count: 1, sent: 0, held: 0, oldestAt: at },
          systemNotice: { count: 2, sent: 0, held: 1, oldestAt: at },
        },
        capped: false,
      });
    });

    test('tells whether anything of the user is stored, notices for everybody aside', async () => {
      const store = await openStore();
      const id = await acceptOne(store, message(1));
      await store.read(1, { ids: [id] }, clock.now());
      await accept(store, message(null));
      expect(await store.backlog(1)).toMatchObject({ known: true, kinds: { comment: NONE } });
      expect(await store.backlog(9)).toMatchObject({
        known: false,
        kinds: { comment: NONE, userNotice: NONE, systemNotice: { count: 1 } },
      });
    });

    test('is that of the store itself: nothing waits elsewhere', async () => {
      const store = await openStore();
      expect(await store.spilled?.backlog(1)).not.toMatchObject({ known: true });
    });
  });
}
