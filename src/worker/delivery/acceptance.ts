/**
 * What the HTTP API asks of delivery: keep these messages, then get them to whoever is online.
 * The answer comes after the commit and does not wait for any screen; that of a large call waits until the bus has taken its
 * news, so that what its caller sends next comes after it.
 */
import type { Bus } from '../../platform/bus/bus.js';
import { PacedNews } from '../../platform/bus/paced-news.js';
import type { Log } from '../../platform/log/log.js';
import type { MessageStore } from '../../platform/store/message-store.js';
import type { Clock } from '../../shared/base/clock.js';
import { errorText } from '../../shared/base/errors.js';
import type { Kind } from '../../shared/domain/kind.js';
import type { MessageItem, NewMessage } from '../../shared/domain/message.js';
import { ID_ZERO, idBefore, type MessageId } from '../../shared/domain/message-id.js';
import type { BusEvent } from '../../shared/protocol/bus-events.js';
import { PUSH_ITEMS_MAX } from '../../shared/protocol/ws-frames.js';

/** Users whose repeated messages are read from the store at once. */
const USERS_PER_READ = 100;
/** Repeated messages that wait to be read; above it they are left to the job of their kind. */
const REPEATED_WAITING_MAX = 100_000;
/** Nobody was sent an unsent notice for everybody, so it is read as for any user. */
const ANYBODY = 1;

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

export interface AcceptanceDeps {
  readonly store: Pick<MessageStore, 'accept' | 'pendingForMany'>;
  readonly bus: Pick<Bus, 'publish' | 'probe'>;
  readonly clock: Pick<Clock, 'moment'>;
  readonly log: Pick<Log, 'warn'>;
}

export function createAcceptance(deps: AcceptanceDeps): Acceptance {
  let waiting = 0;
  let last = Promise.resolve();
  /** One call after the other; no answer waits for it. */
  function publishLater(repeated: readonly Repeated[]): void {
    if (repeated.length === 0 || waiting + repeated.length > REPEATED_WAITING_MAX) return;
    waiting += repeated.length;
    last = last.then(async () => {
      await publishStored(deps, repeated);
      waiting -= repeated.length;
    });
  }
  return {
    async accept(messages) {
      const stored = await deps.store.accept(messages);
      const news = new PacedNews(deps.bus, deps.clock);
      const published = new Set<MessageId>();
      const repeated: Repeated[] = [];
      let duplicates = 0;
      let spilled = 0;
      for (const [index, message] of messages.entries()) {
        const accepted = stored[index];
        if (!accepted) continue;
        const { id, duplicate, unsent } = accepted;
        if (duplicate) duplicates += 1;
        if (accepted.spilled) spilled += 1;
        if (!unsent || published.has(id)) continue;
        // What is spilled cannot be read; it is published when it has moved to the store.
        if (duplicate && accepted.spilled) continue;
        if (duplicate) repeated.push({ kind: message.kind, uid: message.uid ?? ANYBODY, id });
        else if (message.deliver === 'now') {
          news.publish(newsOf(itemOf(message, id)));
          published.add(id);
          if (news.isFull) await news.taken();
        }
      }
      publishLater(repeated);
      return { accepted: stored.length - duplicates, duplicates, spilled, ids: stored.map(({ id }) => id) };
    },
  };
}

interface Repeated {
  readonly kind: Kind;
  readonly uid: number;
  readonly id: MessageId;
}

/**
 * A caller that repeats itself may not have heard of the first commit: nor may the reader. What goes out is what was stored
 * first, when it is due, whatever the repetition says: another copy of it may be on its way, and the reader's inbox has it.
 */
async function publishStored(
  { store, bus, clock, log }: AcceptanceDeps,
  repeated: readonly Repeated[],
): Promise<void> {
  const wanted = new Set(repeated.map(({ id }) => id));
  const news = new PacedNews(bus, clock);
  try {
    for (const kind of new Set(repeated.map((each) => each.kind))) {
      const ofKind = repeated.filter((each) => each.kind === kind);
      const [first = ID_ZERO] = ofKind.map(({ id }) => id).sort();
      const query = { kind, after: idBefore(first), limit: PUSH_ITEMS_MAX };
      const uids = [...new Set(ofKind.map(({ uid }) => uid))];
      for (let from = 0; from < uids.length; from += USERS_PER_READ) {
        const pending = await store.pendingForMany(uids.slice(from, from + USERS_PER_READ), query);
        for (const item of [...pending.values()].flat()) {
          if (!wanted.delete(item.id)) continue;
          news.publish(newsOf(item));
          if (news.isFull) await news.taken();
        }
      }
    }
  } catch (error) {
    // They are pending: the job of their kind repeats them.
    log.warn('delivery.repetition-unread', { messages: wanted.size, error: errorText(error) });
  }
}

function newsOf(item: MessageItem): BusEvent {
  return item.uid === undefined ? { t: 'notice', item } : { t: 'push', uid: item.uid, items: [item] };
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
