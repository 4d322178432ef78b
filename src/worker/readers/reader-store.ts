/**
 * The store as the commands and replays of readers use it: bounded, and in turns that are fair between users, so that what
 * one of them asks for keeps neither the other readers waiting nor the callers, who go to the store without a turn.
 *
 *     marks and counts   many at a time, as many as fit into one commit
 *     pages of messages  few at a time, by what they are expected to weigh, and none while too much is unsent
 */
import type { MessageStore } from '../../platform/store/message-store.js';
import { BoundedMap } from '../../shared/base/bounded-map.js';
import { itemsWeight } from '../../shared/domain/item-weight.js';
import type { MessageItem } from '../../shared/domain/message.js';
import { FairTurns } from './fair-turns.js';

/** Rows are what weighs: see GROUP_ROWS_MAX of the stores. */
const MARKS = { atOnce: 512, ofUserAtOnce: 4, weight: 2_000 };
/** Bytes are. */
const PAGES = { atOnce: 32, ofUserAtOnce: 1, weight: 2 * 1024 * 1024 };

/** What a message is taken to weigh while nothing is known of this user's. */
const ITEM_BYTES = 1_024;
/** Users whose messages' weight is remembered. */
const KNOWN_MAX = 10_000;

type Wanted = () => boolean;

/** For whom a page is: `ready` when it can be written at once. */
export interface PageFor {
  readonly wanted: Wanted;
  readonly ready: () => boolean;
}

export type ReaderStoreCalls = Pick<MessageStore, 'ack' | 'read' | 'unread' | 'list' | 'pending'>;

/** As in the store; `wanted` says whether whoever asked is still there. */
export class ReaderStore {
  readonly #store: ReaderStoreCalls;
  readonly #marks = new FairTurns(MARKS);
  readonly #pages: FairTurns;
  readonly #itemBytes = new BoundedMap<number, number>(KNOWN_MAX);

  /** @param mayRead false: so much is unsent that this user's next page has to wait. */
  constructor(store: ReaderStoreCalls, mayRead: (uid: number) => boolean) {
    this.#store = store;
    this.#pages = new FairTurns(PAGES, mayRead);
  }

  ack(...[uid, ids, at, wanted = always]: [...Parameters<MessageStore['ack']>, Wanted?]): Promise<number> {
    return this.#marks.run({ uid, weight: ids.length, wanted }, () => this.#store.ack(uid, ids, at));
  }

  read(...[uid, mark, at, wanted = always]: [...Parameters<MessageStore['read']>, Wanted?]): Promise<number> {
    const weight = 'ids' in mark ? mark.ids.length : 1;
    return this.#marks.run({ uid, weight, wanted }, () => this.#store.read(uid, mark, at));
  }

  unread(uid: number, wanted: Wanted = always): ReturnType<MessageStore['unread']> {
    return this.#marks.run({ uid, weight: 1, wanted }, () => this.#store.unread(uid));
  }

  list(
    ...[uid, query, whom = ANYBODY]: [...Parameters<MessageStore['list']>, PageFor?]
  ): ReturnType<MessageStore['list']> {
    return this.#page(uid, query, whom, async () => {
      const page = await this.#store.list(uid, query);
      this.#weigh(uid, page.items);
      return page;
    });
  }

  pending(
    ...[uid, query, whom = ANYBODY]: [...Parameters<MessageStore['pending']>, PageFor?]
  ): ReturnType<MessageStore['pending']> {
    return this.#page(uid, query, whom, async () => {
      const items = await this.#store.pending(uid, query);
      this.#weigh(uid, items);
      return items;
    });
  }

  #page<T>(uid: number, { limit }: { limit: number }, whom: PageFor, work: () => Promise<T>): Promise<T> {
    const weight = limit * (this.#itemBytes.get(uid) ?? ITEM_BYTES);
    return this.#pages.run({ uid, weight, ...whom }, work);
  }

  #weigh(uid: number, items: readonly MessageItem[]): void {
    if (items.length === 0) return;
    this.#itemBytes.set(uid, Math.ceil(itemsWeight(items) / items.length));
  }
}

function always(): boolean {
  return true;
}

const ANYBODY: PageFor = { wanted: always, ready: always };
