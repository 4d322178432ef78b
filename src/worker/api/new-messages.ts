/** From what a caller sent to what the store is asked to keep: one message per user, defaults filled in. */
import { SpushError } from '../../shared/base/errors.js';
import type { Kind } from '../../shared/domain/kind.js';
import type { Deliver, NewMessage } from '../../shared/domain/message.js';
import type { ApiMessage } from '../../shared/protocol/api.js';

/** Messages times users of one call: they are committed together, so their number bounds how long others wait. */
export const NEW_MESSAGES_MAX = 100_000;

export interface MessageDefaults {
  readonly deliver: Deliver;
  readonly expireSeconds: number;
  /** Unix ms. */
  readonly now: number;
}

/** In the order given; a user named twice in one message gets it once. Throws TOO_LARGE. */
export function newMessages(
  kind: Kind,
  messages: readonly ApiMessage[],
  defaults: MessageDefaults,
): NewMessage[] {
  const addressed = messages.map((message) => ({ message, users: usersOf(message) }));
  const count = addressed.reduce((sum, { users }) => sum + users.length, 0);
  if (count > NEW_MESSAGES_MAX) {
    throw new SpushError(
      'TOO_LARGE',
      `the call makes ${count} messages (messages × users), at most ${NEW_MESSAGES_MAX} at once: split it; nothing was stored`,
    );
  }
  return addressed.flatMap(({ message, users }) => {
    const template = templateOf(kind, message, defaults);
    return users.map((uid) => ({ ...template, uid }));
  });
}

function usersOf(message: ApiMessage): readonly (number | null)[] {
  if (message.uids) return [...new Set(message.uids)];
  return [message.uid ?? null];
}

function templateOf(kind: Kind, message: ApiMessage, defaults: MessageDefaults): Omit<NewMessage, 'uid'> {
  const expireMs = Math.round((message.expire ?? defaults.expireSeconds) * 1000);
  return {
    kind,
    title: message.title ?? '',
    content: message.content ?? '',
    url: message.url || null,
    data: message.data ?? null,
    callerId: message.id ?? null,
    collapse: message.collapse ?? null,
    deliver: message.deliver ?? defaults.deliver,
    createdAt: defaults.now,
    expiresAt: defaults.now + expireMs,
  };
}
