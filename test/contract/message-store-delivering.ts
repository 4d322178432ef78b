/** What the contract says of delivery: what is pending, when, and what ends it. */
import { describe, expect, test } from 'vitest';
import { ID_ZERO, type MessageId } from '../../src/shared/domain/message-id.js';
import { type Contract, UNKNOWN } from './message-store-bench.js';

export function describeDelivering({
  acceptOne,
  accept,
  another,
  clock,
  listedIds,
  message,
  openStore,
  pendingIds,
  stateOf,
}: Contract): void {
  describe('pending', () => {
    test('are the user’s own and everybody’s, ids rising, after an id, of a kind, up to a limit', async () => {
      const store = await openStore();
      const [a, b, c, , e] = await accept(
        store,
        message(1),
        message(1, { kind: 'userNotice' }),
        message(null),
        message(2),
        message(1),
      );
      expect(await pendingIds(store, 1)).toEqual([a, b, c, e]);
      expect(await pendingIds(store, 1, { after: ID_ZERO, limit: 2 })).toEqual([a, b]);
      expect(await pendingIds(store, 1, { after: b ?? ID_ZERO })).toEqual([c, e]);
      expect(await pendingIds(store, 1, { kind: 'comment' })).toEqual([a, e]);
      expect(await pendingIds(store, 1, { kind: 'userNotice' })).toEqual([b]);
      expect(await pendingIds(store, 1, { kind: 'systemNotice' })).toEqual([c]);
      const [, , notice] = await store.pending(1, { limit: 9 });
      expect(notice).toEqual({
        id: c,
        kind: 'systemNotice',
        title: 'title',
        content: 'content',
        createdAt: clock.now(),
      });
    });

    test('end with acknowledging, reading, settling and expiring', async () => {
      const store = await openStore();
      for (const uid of [null, 1]) {
        const ids = await accept(store, ...Array.from({ length: 4 }, () => message(uid)));
        const [acked, read, settled, sent] = ids;
        if (!acked || !read || !settled || !sent) throw new Error('too few ids');
        await store.ack(1, [acked], clock.now());
        await store.read(1, { ids: [read] }, clock.now());
        await store.markSent([{ uid: 1, id: settled, settled: true }], clock.now());
        await store.markSent([{ uid: 1, id: sent, settled: false }], clock.now());
        expect(await pendingIds(store, 1)).toEqual([sent]);
        expect(await pendingIds(store, 2)).toEqual(uid === null ? ids : []);
        await store.ack(1, [sent], clock.now());
        await store.ack(2, ids, clock.now());
      }
      await acceptOne(store, message(1, { expiresAt: clock.now() + 1000 }));
      clock.advance(999);
      expect((await pendingIds(store, 1)).length).toBe(1);
      clock.advance(1);
      expect(await pendingIds(store, 1)).toEqual([]);
    });

    test('leave out what was sent a moment ago', async () => {
      const store = await openStore();
      for (const uid of [1, null]) {
        const id = await acceptOne(store, message(uid));
        const sentAt = clock.now();
        await store.markSent([{ uid: 1, id, settled: false }], sentAt);
        expect(await pendingIds(store, 1, { notSentSince: sentAt })).toEqual([]);
        expect(await pendingIds(store, 1, { notSentSince: sentAt + 1 })).toEqual([id]);
        await store.ack(1, [id], clock.now());
      }
    });

    test('leave out for no hour what was sent before the clock was set back by one', async () => {
      const store = await openStore();
      for (const uid of [1, null]) {
        const id = await acceptOne(store, message(uid));
        await store.markSent([{ uid: 1, id, settled: false }], clock.now());
        clock.step(-3_600_000);
        expect(await pendingIds(store, 1, { notSentSince: clock.now() - 30_000 })).toEqual([id]);
        // Clocks of other nodes may be ahead by so much.
        await store.ack(1, [id], clock.now());
        const other = await acceptOne(store, message(uid));
        await store.markSent([{ uid: 1, id: other, settled: false }], clock.now() + 60_000);
        expect(await pendingIds(store, 1, { notSentSince: clock.now() - 30_000 })).toEqual([]);
        await store.ack(1, [other], clock.now());
        clock.step(3_600_000);
      }
    });

    test('with what other devices settled lately, until it is read', async () => {
      const store = await openStore();
      for (const uid of [1, null]) {
        const cron = await acceptOne(store, message(uid, { deliver: 'cron' }));
        const [before, acked, written, read, open] = await accept(
          store,
          ...Array.from({ length: 5 }, () => message(uid)),
        );
        if (!before || !acked || !written || !read || !open) throw new Error('too few ids');
        await store.ack(1, [before, acked], clock.now());
        await store.markSent([{ uid: 1, id: written, settled: true }], clock.now());
        await store.read(1, { ids: [read] }, clock.now());
        const settledSince = before;
        expect(await pendingIds(store, 1, { settledSince })).toEqual([acked, written, open]);
        expect(await pendingIds(store, 1, { settledSince, limit: 2 })).toEqual([acked, written]);
        expect(await pendingIds(store, 1, { settledSince, after: acked })).toEqual([written, open]);
        expect(await pendingIds(store, 1, { settledSince: cron })).toEqual([before, acked, written, open]);
        expect(await pendingIds(store, 2, { settledSince })).toEqual(
          uid === null ? [before, acked, written, read, open] : [],
        );
        const replaced = await acceptOne(store, message(uid, { collapse: 'one' }));
        const replacing = await acceptOne(store, message(uid, { collapse: 'one' }));
        expect(await pendingIds(store, 1, { settledSince: open })).toEqual([open, replacing]);
        await store.read(1, { all: true }, clock.now());
        expect(await pendingIds(store, 1, { settledSince: before })).toEqual([]);
        expect(replaced < replacing).toBe(true);
        await store.read(2, { all: true }, clock.now());
      }
    });

    test('of cron messages begin with the next run of their kind’s job', async () => {
      const store = await openStore();
      const cron = { deliver: 'cron' } as const;
      for (const uid of [1, null]) {
        const { kind } = message(uid);
        const before = await acceptOne(store, message(uid, cron));
        expect(await pendingIds(store, 1)).toEqual([]);
        expect(await listedIds(store, 1, { kind })).toContain(before);
        await store.release('userNotice', clock.now());
        expect(await pendingIds(store, 1)).toEqual([]);
        await store.release(kind, clock.now());
        const after = await acceptOne(store, message(uid, cron));
        expect(await pendingIds(store, 1)).toEqual([before]);
        await store.release(kind, clock.now());
        expect(await pendingIds(store, 1)).toEqual([before, after]);
        await store.ack(1, [before, after], clock.now());
      }
    });

    test('of cron messages begin exactly with the run, whatever the ids and clocks of other openers', async () => {
      const store = await openStore();
      const other = await another();
      // Ids of one opener run ahead: later messages of the other have lower ids.
      await accept(other, ...Array.from({ length: 10_000 }, () => message(9)));
      const ahead = await acceptOne(other, message(1, { deliver: 'cron' }));
      await store.release('comment', clock.now());
      const late = await acceptOne(store, message(1, { deliver: 'cron' }));
      expect(late < ahead).toBe(true);
      expect(await pendingIds(store, 1)).toEqual([ahead]);
      await other.release('comment', clock.now() - 1000);
      expect(await pendingIds(store, 1)).toEqual([late, ahead]);
    });

    test('of many users at once are those of each; users with nothing are absent', async () => {
      const store = await openStore();
      await accept(
        store,
        ...Array.from({ length: 60 }, (_, i) => message(1 + (i % 7), { title: `${i % 3}` })),
        message(4, { kind: 'userNotice' }),
      );
      for (const kind of [undefined, 'comment', 'userNotice'] as const) {
        const query = { limit: 5, ...(kind === undefined ? {} : { kind }) };
        const many = await store.pendingForMany([1, 2, 4, 99, 4], query);
        expect([...many.keys()]).toEqual(kind === 'userNotice' ? [4] : [1, 2, 4]);
        for (const [uid, items] of many) expect(items).toEqual(await store.pending(uid, query));
      }
      await acceptOne(store, message(null));
      expect([...(await store.pendingForMany([98, 99], { limit: 5 })).keys()]).toEqual([98, 99]);
      expect(await store.pendingForMany([], { limit: 5 })).toEqual(new Map());
    });
  });

  describe('acknowledging', () => {
    test('counts what changed: not unknown ids, not others’, not twice', async () => {
      const store = await openStore();
      const [mine, alsoMine, others, notice] = await accept(
        store,
        message(1),
        message(1),
        message(2),
        message(null),
      );
      if (!mine || !alsoMine || !others || !notice) throw new Error('too few ids');
      const all = [mine, alsoMine, mine, others, notice, notice, UNKNOWN];
      expect(await store.ack(1, all, clock.now())).toBe(3);
      expect(await store.ack(1, all, clock.now())).toBe(0);
      expect(await store.ack(2, all, clock.now())).toBe(2);
      expect(await store.ack(1, [], clock.now())).toBe(0);
      expect(await store.ack(1, ['0', 'x', '9999999999999999999'] as MessageId[], clock.now())).toBe(0);
      expect(await stateOf(store, others)).toBe('acked');
    });

    test('takes 500 ids at once', async () => {
      const store = await openStore();
      const ids = await accept(store, ...Array.from({ length: 500 }, () => message(1)));
      expect(await store.ack(1, ids, clock.now())).toBe(500);
      expect(await store.pendingCount()).toBe(0);
    });

    test('twice at the same moment counts once', async () => {
      const store = await openStore();
      const other = await another();
      const ids = await accept(store, message(1), message(null));
      const counts = await Promise.all([
        store.ack(1, ids, clock.now()),
        other.ack(1, ids, clock.now()),
        store.ack(1, ids, clock.now()),
      ]);
      expect(counts.reduce((sum: number, count) => sum + (count ?? 0), 0)).toBe(2);
    });
  });
}
