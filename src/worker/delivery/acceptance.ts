/**
 * What the HTTP API asks of delivery: keep these messages, then get them to whoever is online.
 * The answer comes after the commit and does not wait for any screen.
 */
import type { Bus } from '../../platform/bus/bus.js';
import type { MessageStore } from '../../platform/store/message-store.js';
import type { MessageItem, NewMessage } from '../../shared/domain/message.js';
import type { MessageId } from '../../shared/domain/message-id.js';

export interface AcceptedBatch {
  /** Stored by this call. */
  readonly accepted: number;
  /** Stored by an earlier call with the same id. */
  readonly duplicates: number;
  /** Of both, those that wait in a file of this node until the store is back. */
  readonly spilled: number;
  /** One per message and user, in the order given. */
  readonly ids: readonly MessageId[];
}

export interface Acceptance {
  /** Resolves after the commit; throws STORE_UNAVAILABLE or STORE_BUSY when nothing was kept. */
  accept(messages: readonly NewMessage[]): Promise<AcceptedBatch>;
}

export function createAcceptance(deps: {
  store: Pick<MessageStore, 'accept'>;
  bus: Pick<Bus, 'publish'>;
}): Acceptance {
  return {
    async accept(messages) {
      const stored = await deps.store.accept(messages);
      let duplicates = 0;
      let spilled = 0;
      messages.forEach((message, index) => {
        const accepted = stored[index];
        if (!accepted) return;
        if (accepted.duplicate) duplicates += 1;
        if (accepted.spilled) spilled += 1;
        // A caller that repeats itself may not have heard of the first commit: nor may the reader.
        if (message.deliver === 'now' && accepted.unsent) publish(deps.bus, itemOf(message, accepted.id));
      });
      return { accepted: stored.length - duplicates, duplicates, spilled, ids: stored.map(({ id }) => id) };
    },
  };
}

function publish(bus: Pick<Bus, 'publish'>, item: MessageItem): void {
  if (item.uid === undefined) bus.publish({ t: 'notice', item });
  else bus.publish({ t: 'push', uid: item.uid, items: [item] });
}

function itemOf(message: NewMessage, id: MessageId): MessageItem {
  return {
    id,
    kind: message.kind,
    ...(message.uid === null ? {} : { uid: message.uid }),
    title: message.title,
    content: message.content,
    ...(message.url === null ? {} : { url: message.url }),
    ...(message.data === null ? {} : { data: message.data }),
    createdAt: message.createdAt,
  };
}
