/** What the contract says of taking messages in: ids, texts, doubles, replacing. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DataText } from '../../src/shared/domain/message.js';
import { isMessageId } from '../../src/shared/domain/message-id.js';
import { dataText } from '../../src/shared/protocol/data-text.js';
import { anyMessage } from '../support/any-message.js';
import { type Contract, UNKNOWN } from './message-store-bench.js';

export function describeAccepting({
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
  describe('accepting', () => {
    test('gives every message an id, rising in the order given', async () => {
      const store = await openStore();
      const first = await accept(store, message(1), message(2), message(null));
      const second = await accept(store, message(1));
      const ids = [...first, ...second];
      expect(ids.every(isMessageId)).toBe(true);
      expect(ids).toEqual([...new Set(ids)].sort());
    });

    test('gives rising ids to calls made at once, in their order', async () => {
      const store = await openStore();
      const ids = await Promise.all(Array.from({ length: 200 }, () => acceptOne(store, message(1))));
      expect(ids).toEqual([...new Set(ids)].sort());
      expect(await pendingIds(store, 1, { limit: 1000 })).toEqual(ids);
    });

    test('of nothing answers nothing', async () => {
      const store = await openStore();
      expect(await store.accept([])).toEqual([]);
    });

    test('keeps any text to the letter', async () => {
      const store = await openStore();
      let uid = 0;
      const text = fc.string({ unit: 'binary', maxLength: 50 });
      const lone = fc.constantFrom('\ud800', 'a\u0000b', '', "'; DROP TABLE message; --", '\u2028', 'null');
      const texts = fc.oneof(text, lone);
      await fc.assert(
        fc.asyncProperty(texts, texts, fc.option(texts), async (title, content, url) => {
          uid += 1;
          const id = await acceptOne(store, message(uid, { title, content, url }));
          const item = {
            id,
            kind: 'comment',
            uid,
            title,
            content,
            ...(url === null ? {} : { url }),
            createdAt: clock.now(),
          };
          expect(await store.pending(uid, { limit: 10 })).toEqual([item]);
          expect((await store.list(uid, { limit: 10 })).items).toEqual([{ ...item, read: false }]);
        }),
        { numRuns: 100 },
      );
    });

    test('keeps any message, and its data as it was written', async () => {
      const store = await openStore();
      let uid = 0;
      await fc.assert(
        fc.asyncProperty(anyMessage, async ({ data: written, ...texts }) => {
          uid += 1;
          const data = written === null ? null : (dataText(written) as DataText);
          const id = await acceptOne(store, message(uid, { ...texts, data }));
          const [pending] = await store.pending(uid, { limit: 10 });
          const [listed] = (await store.list(uid, { limit: 10 })).items;
          const { url, ...rest } = texts;
          const item = {
            id,
            ...rest,
            ...(url === null ? {} : { url }),
            ...(data === null ? {} : { data }),
          };
          expect(pending).toEqual({ kind: 'comment', uid, createdAt: clock.now(), ...item });
          expect(listed).toEqual({ ...pending, read: false });
        }),
        { numRuns: 200 },
      );
    });

    test('keeps a batch of 50,000, one text to many users, with ids in order', async () => {
      const store = await openStore();
      const batch = Array.from({ length: 50_000 }, (_, i) =>
        message(1 + (i % 1000), { title: `t${Math.floor(i / 1000)}` }),
      );
      const ids = await accept(store, ...batch);
      expect(ids.length).toBe(50_000);
      expect(ids.every((id, i) => i === 0 || id > (ids[i - 1] ?? id))).toBe(true);
      const items = await store.pending(777, { limit: 100 });
      expect(items.map(({ id }) => id)).toEqual(ids.filter((_, i) => i % 1000 === 776));
      expect(items.map(({ title }) => title)).toEqual(Array.from({ length: 50 }, (_, i) => `t${i}`));
      expect(await store.pendingCount()).toBe(50_000);
    }, 30_000);

    test('of what another opener accepted finds it, too', async () => {
      const store = await openStore();
      const other = await another();
      const id = await acceptOne(store, message(1));
      expect(await pendingIds(other, 1)).toEqual([id]);
      expect(await other.ack(1, [id], clock.now())).toBe(1);
      expect(await stateOf(store, id)).toBe('acked');
    });
  });

  describe('the caller’s own id', () => {
    test('stores a message once, and answers with the id stored first', async () => {
      const store = await openStore();
      const [first] = await store.accept([message(1, { callerId: 'a', title: 'first' })]);
      const [second] = await store.accept([message(1, { callerId: 'a', title: 'second' })]);
      expect(first).toEqual({ id: first?.id, duplicate: false, unsent: true });
      expect(second).toEqual({ id: first?.id, duplicate: true, unsent: true });
      expect((await store.pending(1, { limit: 9 })).map(({ title }) => title)).toEqual(['first']);
    });

    test('stores a message once inside one call', async () => {
      const store = await openStore();
      const [a, b, c] = await store.accept([
        message(1, { callerId: 'x' }),
        message(2, { callerId: 'x' }),
        message(1, { callerId: 'x' }),
      ]);
      expect([a?.duplicate, b?.duplicate, c?.duplicate]).toEqual([false, false, true]);
      expect(c?.id).toBe(a?.id);
    });

    test('repeated 100 times in parallel over several openers stores one', async () => {
      const store = await openStore();
      const stores = [store, await another(), await another()];
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, i) => {
          const one = stores[i % stores.length] ?? store;
          return one.accept([message(1, { callerId: 'only' }), message(null, { callerId: 'only' })]);
        }),
      );
      expect(new Set(answers.map(([personal]) => personal?.id)).size).toBe(1);
      expect(new Set(answers.map(([, notice]) => notice?.id)).size).toBe(1);
      expect(answers.filter(([personal]) => !personal?.duplicate).length).toBe(1);
      expect((await store.pending(1, { limit: 100 })).length).toBe(2);
    });

    test('is of one kind and one user', async () => {
      const store = await openStore();
      const answers = await store.accept([
        message(1, { callerId: 'x' }),
        message(2, { callerId: 'x' }),
        message(1, { callerId: 'x', kind: 'userNotice' }),
        message(null, { callerId: 'x' }),
        message(1, { callerId: 'X' }),
        message(1, { callerId: 'x ' }),
        message(1, { callerId: '\ud800' }),
        message(1, { callerId: '\ud801' }),
        message(1, { callerId: 'x\u0000' }),
        message(1, { callerId: 'x\u0000y' }),
        message(1, { callerId: '' }),
        message(1),
        message(1),
      ]);
      expect(answers.filter(({ duplicate }) => duplicate)).toEqual([]);
    });

    test('tells whether the first one is still unsent', async () => {
      const store = await openStore();
      const again = async (uid: number | null, callerId: string) =>
        (await store.accept([message(uid, { callerId })]))[0]?.unsent;
      for (const uid of [1, null]) {
        const ids = await accept(
          store,
          ...['sent', 'acked', 'read', 'none', 'over'].map((callerId) =>
            message(uid, { callerId, ...(callerId === 'over' ? { expiresAt: clock.now() + 5 } : {}) }),
          ),
        );
        const [sent, acked, read] = ids;
        if (sent === undefined || acked === undefined || read === undefined) throw new Error('too few ids');
        await store.markSent([{ uid: 1, id: sent, settled: false }], clock.now());
        await store.ack(1, [acked], clock.now());
        await store.read(1, { ids: [read] }, clock.now());
        clock.advance(10);
        expect(await again(uid, 'none')).toBe(true);
        for (const over of ['sent', 'acked', 'read', 'over']) expect(await again(uid, over)).toBe(false);
      }
    });
  });

  describe('collapse', () => {
    test('leaves the newest pending message of its key', async () => {
      const store = await openStore();
      const [a, b, c] = await accept(
        store,
        message(1, { collapse: 'k', callerId: 'a' }),
        message(1, { collapse: 'k' }),
        message(1, { collapse: 'k' }),
      );
      expect(await pendingIds(store, 1)).toEqual([c]);
      expect(await listedIds(store, 1)).toEqual([c]);
      expect((await store.unread(1)).comment).toBe(1);
      for (const id of [a, b]) expect(await stateOf(store, id ?? UNKNOWN)).toBe('expired');
      const [again] = await store.accept([message(1, { callerId: 'a', collapse: 'k' })]);
      expect(again).toEqual({ id: a, duplicate: true, unsent: false });
      expect(await pendingIds(store, 1)).toEqual([c]);
    });

    test('replaces what was sent, not what was acknowledged or read', async () => {
      const store = await openStore();
      const sent = await acceptOne(store, message(1, { collapse: 's' }));
      const acked = await acceptOne(store, message(1, { collapse: 'a' }));
      const read = await acceptOne(store, message(1, { collapse: 'r' }));
      await store.markSent([{ uid: 1, id: sent, settled: false }], clock.now());
      await store.ack(1, [acked], clock.now());
      await store.read(1, { ids: [read] }, clock.now());
      await accept(store, ...['s', 'a', 'r'].map((collapse) => message(1, { collapse })));
      expect(await stateOf(store, sent)).toBe('expired');
      expect(await stateOf(store, acked)).toBe('acked');
      expect(await stateOf(store, read)).toBe('read');
      expect((await listedIds(store, 1)).length).toBe(5);
    });

    test('touches no other kind, user or key', async () => {
      const store = await openStore();
      await accept(
        store,
        message(1, { collapse: 'k' }),
        message(2, { collapse: 'k' }),
        message(1, { collapse: 'k', kind: 'userNotice' }),
        message(1, { collapse: 'K' }),
        message(1),
        message(null, { collapse: 'k' }),
      );
      expect((await pendingIds(store, 1)).length).toBe(5);
      expect((await pendingIds(store, 2)).length).toBe(2);
    });

    test('replaces notices for everybody', async () => {
      const store = await openStore();
      const old = await acceptOne(store, message(null, { collapse: 'k' }));
      await store.ack(1, [old], clock.now());
      const next = await acceptOne(store, message(null, { collapse: 'k' }));
      for (const uid of [1, 2]) expect(await pendingIds(store, uid)).toEqual([next]);
      await store.markSent([{ uid: 2, id: old, settled: true }], clock.now());
      expect((await store.status(old))?.receipts).toEqual({ sent: 1, acked: 1, read: 0 });
    });
  });
}
