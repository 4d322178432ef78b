import { expect, test } from 'vitest';
import { fullPages, type ReadPending } from '../../../../src/platform/store/full-pages.js';
import type { MessageItem } from '../../../../src/shared/domain/message.js';
import type { MessageId } from '../../../../src/shared/domain/message-id.js';
import { itemFor } from '../../../support/messages.js';

/** Rows of one user each; those that are told cannot be read. */
function storeOf(rows: number, isReadable: (n: number) => boolean): { read: ReadPending; reads: number } {
  const store = { reads: 0, read: null as unknown as ReadPending };
  store.read = async (uids, { after = '', limit }) => {
    store.reads += 1;
    return new Map(
      uids.map((uid) => {
        const page = Array.from({ length: rows }, (_, n) => ({ n, item: itemFor(uid, n) }))
          .filter(({ item }) => item.id > after)
          .slice(0, limit);
        const last = page.length < limit ? null : (page.at(-1)?.item.id ?? null);
        return [uid, { items: page.filter(({ n }) => isReadable(n)).map(({ item }) => item), last }];
      }),
    );
  };
  return store;
}

test('a page without faults is read once', async () => {
  const store = storeOf(200, () => true);
  const pages = await fullPages([1, 2], { limit: 50 }, store.read);
  expect([pages.get(1)?.length, pages.get(2)?.length, store.reads]).toEqual([50, 50, 1]);
});

test('what cannot be read makes no page shorter, and nothing behind it is left out', async () => {
  const isReadable = (n: number): boolean => n % 3 !== 0 && (n < 100 || n > 180);
  const store = storeOf(300, isReadable);
  const all: string[] = [];
  for (let after: MessageId | null = null; ; ) {
    const pages: Map<number, MessageItem[]> = await fullPages(
      [7],
      { limit: 50, ...(after ? { after } : {}) },
      store.read,
    );
    const page: MessageItem[] = pages.get(7) ?? [];
    all.push(...page.map(({ id }) => id));
    if (page.length < 50) break;
    after = page.at(-1)?.id ?? null;
  }
  const readable = Array.from({ length: 300 }, (_, n) => n).filter(isReadable);
  expect(all).toEqual(readable.map((n) => itemFor(7, n).id));
});

test('a user of whom nothing can be read is absent', async () => {
  expect((await fullPages([7], { limit: 50 }, storeOf(120, () => false).read)).size).toBe(0);
});
