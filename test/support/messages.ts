import type { MessageItem, NewMessage } from '../../src/shared/domain/message.js';
import type { MessageId } from '../../src/shared/domain/message-id.js';
import type { Login } from '../../src/shared/domain/session.js';

/** The n-th message id of a test. */
export function idOf(n: number): MessageId {
  return String(1_600_000_000_000_000_000n + BigInt(n)) as MessageId;
}

export function itemFor(uid: number | null, n: number): MessageItem {
  return {
    id: idOf(n),
    kind: uid === null ? 'systemNotice' : 'comment',
    ...(uid === null ? {} : { uid }),
    title: `t${n}`,
    content: `c${n}`,
    createdAt: n,
  };
}

export function loginOf(uid: number, overrides: Partial<Login> = {}): Login {
  return { uid, channel: 'web', keyDigest: `key-${uid}`, device: null, ack: true, since: 0, ...overrides };
}

/** A message as a store takes it in, good for an hour. */
export function newMessage(uid: number | null, overrides: Partial<NewMessage> = {}): NewMessage {
  const now = Date.now();
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
    createdAt: now,
    expiresAt: now + 3_600_000,
    ...overrides,
  };
}
