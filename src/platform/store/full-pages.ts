/**
 * Pages of what is pending. A text that cannot be read is left out of a page, and whoever gets fewer than asked for takes that
 * for the end: so the page is filled with what comes after.
 */
import type { MessageItem } from '../../shared/domain/message.js';
import type { MessageId } from '../../shared/domain/message-id.js';
import type { PendingQuery } from './message-store.js';

/** What one reading found of a user. */
export interface PendingRows {
  readonly items: readonly MessageItem[];
  /** The last row, readable or not, when there may be more behind it. */
  readonly last: MessageId | null;
}

export type ReadPending = (
  uids: readonly number[],
  query: PendingQuery,
) => Promise<ReadonlyMap<number, PendingRows>>;

/** Of a user of whom hardly anything can be read the page is shorter: the others must not wait for it. */
const READS_MAX = 20;

export async function fullPages(
  uids: readonly number[],
  query: PendingQuery,
  read: ReadPending,
): Promise<Map<number, MessageItem[]>> {
  const found = new Map<number, MessageItem[]>();
  for (const [uid, first] of await read(uids, query)) {
    const items = [...first.items];
    let { last } = first;
    for (let reads = 1; last !== null && items.length < query.limit && reads < READS_MAX; reads += 1) {
      const more = (await read([uid], { ...query, after: last })).get(uid);
      items.push(...(more?.items ?? []));
      last = more?.last ?? null;
    }
    if (items.length > 0) found.set(uid, items.slice(0, query.limit));
  }
  return found;
}
