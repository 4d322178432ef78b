/** What the contract says of the rest: pruning, counting, order of calls, closing and opening again. */
import { describe, expect, test } from 'vitest';
import { type Contract, UNKNOWN } from './message-store-bench.js';
import { checkAgainstModel } from './message-store-property.js';

export function describeUpkeep(
  { acceptOne, accept, clock, listedIds, message, openStore, pendingIds, reopen, open }: Contract,
  { runs }: { readonly runs: number },
): void {
  describe('pruning', () => {
    test('deletes what expired, in slices, and leaves the rest whole', async () => {
      const store = await openStore();
      const over = await accept(
        store,
        ...[1, 2, 3, 4, 5].map((uid) => message(uid, { expiresAt: clock.now() + 10 })),
        message(null, { expiresAt: clock.now() + 10 }),
      );
      const [live, notice] = await accept(store, message(1, { title: 'live' }), message(null));
      if (!live || !notice) throw new Error('too few ids');
      for (const uid of [1, 2, 3]) await store.ack(uid, [...over, notice], clock.now());
      expect(await store.prune(clock.now() + 9, 100)).toBe(0);
      expect(await store.prune(clock.now() + 10, 4)).toBe(4);
      expect(await store.prune(clock.now() + 10, 4)).toBe(2);
      expect(await store.prune(clock.now() + 10, 4)).toBe(0);
      for (const id of over) expect(await store.status(id)).toBe(null);
      expect((await store.status(notice))?.receipts?.acked).toBe(3);
      expect((await store.list(1, { limit: 9 })).items.map(({ title }) => title)).toEqual(['title', 'live']);
    });

    test('frees the caller’s id', async () => {
      const store = await openStore();
      const old = await acceptOne(store, message(1, { callerId: 'x', expiresAt: clock.now() + 1 }));
      clock.advance(1);
      expect((await store.accept([message(1, { callerId: 'x' })]))[0]).toEqual({
        id: old,
        duplicate: true,
        unsent: false,
      });
      await store.prune(clock.now(), 10);
      expect((await store.accept([message(1, { callerId: 'x' })]))[0]?.duplicate).toBe(false);
    });
  });

  test('counts personal messages still to be delivered', async () => {
    const store = await openStore();
    const ids = await accept(store, message(1), message(2), message(3), message(null));
    expect(await store.pendingCount()).toBe(3);
    await store.ack(1, ids, clock.now());
    expect(await store.pendingCount()).toBe(2);
  });

  test('a read sees what was called before it, though not yet answered', async () => {
    const store = await openStore();
    const calls: Promise<unknown>[] = [];
    const totals: Promise<{ total: number }>[] = [];
    for (let i = 0; i < 300; i += 1) {
      calls.push(store.accept([message(1)]));
      totals.push(store.unread(1));
    }
    await Promise.all(calls);
    for (const [i, { total }] of (await Promise.all(totals)).entries())
      expect(total).toBeGreaterThanOrEqual(i + 1);
  });

  test('keeps everything over a close, and ids go on rising', async () => {
    const store = await openStore();
    const ids = await accept(store, message(1), message(null));
    await store.ack(1, [ids[0] ?? UNKNOWN], clock.now());
    const again = await reopen();
    expect(await listedIds(again, 1)).toEqual([...ids].reverse());
    expect(await pendingIds(again, 1)).toEqual([ids[1]]);
    const [next] = await accept(again, message(1));
    expect(next !== undefined && next > (ids[1] ?? UNKNOWN)).toBe(true);
  });

  test('close finishes what was called before it; calls after it are refused; twice is once', async () => {
    const store = await openStore();
    const calls = Array.from({ length: 100 }, () => acceptOne(store, message(1)));
    const closing = [store.close(), store.close()];
    const ids = await Promise.all(calls);
    await Promise.all(closing);
    for (const late of [() => store.accept([message(1)]), () => store.probe(), () => store.unread(1)])
      await expect(late()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    const again = await reopen();
    expect(await pendingIds(again, 1)).toEqual(ids);
  });

  test('probe succeeds while messages can be kept, and changes none', async () => {
    const store = await openStore();
    await store.probe();
    expect(await store.list(1, { limit: 9 })).toEqual({ items: [], next: null });
  });

  test('answers any sequence of calls as the plain model does', async () => {
    await checkAgainstModel(open, { runs });
  }, 120_000);
}
