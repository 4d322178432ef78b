/** What the parts of the contract suite share: a store for each test, a clock that stands, short ways to say things. */
import { afterEach } from 'vitest';
import type { ListQuery, MessageStore, PendingQuery } from '../../src/platform/store/message-store.js';
import type { Clock } from '../../src/shared/base/clock.js';
import type { MessageState, NewMessage } from '../../src/shared/domain/message.js';
import type { MessageId } from '../../src/shared/domain/message-id.js';
import { FakeClock } from '../support/fake-clock.js';

export interface OpenedStore {
  readonly store: MessageStore;
  /** Closes it and opens it again on the same data. */
  reopen(): Promise<MessageStore>;
  /** Opens the same data once more, as another process does. */
  another(): Promise<MessageStore>;
  /** Closes all of them and forgets the data. */
  close(): Promise<void>;
}

export type OpenStore = (options: { readonly clock: Clock }) => Promise<OpenedStore>;

export const DAY_MS = 86_400_000;
/** An id that no store gives. */
export const UNKNOWN = '1999999999999999999' as MessageId;

export type Contract = ReturnType<typeof createContract>;

/** Call inside `describe`: what a test opened is closed after it. */
export function createContract(open: OpenStore) {
  const clock = new FakeClock();
  let opened: OpenedStore | undefined;

  afterEach(async () => {
    await opened?.close();
    opened = undefined;
  });

  function current(): OpenedStore {
    if (opened === undefined) throw new Error('no store was opened in this test');
    return opened;
  }

  return {
    clock,
    open,

    async openStore(): Promise<MessageStore> {
      opened = await open({ clock });
      return opened.store;
    },

    another: () => current().another(),
    reopen: () => current().reopen(),

    message(uid: number | null, more: Partial<NewMessage> = {}): NewMessage {
      return {
        kind: uid === null ? 'systemNotice' : 'comment',
        uid,
        title: 'title',
        content: 'content',
        url: null,
        data: null,
        callerId: null,
        collapse: null,
        deliver: 'now',
        createdAt: clock.now(),
        expiresAt: clock.now() + 7 * DAY_MS,
        ...more,
      };
    },

    async accept(store: MessageStore, ...messages: NewMessage[]): Promise<MessageId[]> {
      return (await store.accept(messages)).map(({ id }) => id);
    },

    async acceptOne(store: MessageStore, message: NewMessage): Promise<MessageId> {
      const [accepted] = await store.accept([message]);
      if (accepted === undefined) throw new Error('nothing was accepted');
      return accepted.id;
    },

    async pendingIds(
      store: MessageStore,
      uid: number,
      query: Partial<PendingQuery> = {},
    ): Promise<MessageId[]> {
      return (await store.pending(uid, { limit: 100, ...query })).map(({ id }) => id);
    },

    async listedIds(store: MessageStore, uid: number, query: Partial<ListQuery> = {}): Promise<MessageId[]> {
      return (await store.list(uid, { limit: 100, ...query })).items.map(({ id }) => id);
    },

    async stateOf(store: MessageStore, id: MessageId): Promise<MessageState | undefined> {
      return (await store.status(id))?.state;
    },
  };
}
