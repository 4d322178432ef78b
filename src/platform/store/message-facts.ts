/** From what a row says to what became of the message: the same words for every store. */
import type { Kind } from '../../shared/domain/kind.js';
import type { KindBacklog, MessageFacts, MessageState, MessageStatus } from '../../shared/domain/message.js';
import type { MessageId } from '../../shared/domain/message-id.js';
import { kindOf } from './kind-number.js';
import { BACKLOG_COUNTED_MAX } from './message-store.js';

export function stateOf(
  times: Pick<MessageStatus, 'sentAt' | 'ackedAt' | 'readAt'>,
  expired: boolean,
): MessageState {
  if (times.readAt !== null) return 'read';
  if (times.ackedAt !== null) return 'acked';
  if (expired) return 'expired';
  return times.sentAt === null ? 'pending' : 'sent';
}

/** What a row says beside its status. */
export interface FactsRow {
  readonly settled: boolean;
  /** It has a key of the caller under which a newer one replaces it. */
  readonly collapses: boolean;
  readonly next: MessageId | null;
  readonly held: boolean;
  readonly bytes: number;
}

export function factsOf(status: MessageStatus, row: FactsRow): MessageFacts {
  const { settled, held, bytes } = row;
  const replaced = row.collapses && settled && wasReplaced(status);
  return {
    ...status,
    receipts: status.receipts ?? null,
    state: replaced ? 'replaced' : status.state,
    replacedBy: replaced ? row.next : null,
    held: held && !settled,
    settled,
    bytes,
    storedIn: 'store',
  };
}

/**
 * Settled without an acknowledgement is a message that was replaced, or that reached a client which does not acknowledge. A
 * replaced message ends at the moment of its replacement, any other a whole number of seconds after it was accepted. So of a
 * thousand messages that were sent and then replaced one is not recognized: the replacement came after whole seconds, too.
 */
function wasReplaced({ uid, state, sentAt, createdAt, expiresAt }: MessageStatus): boolean {
  if (uid === null) return true;
  if (state !== 'expired') return false;
  return sentAt === null || (expiresAt - createdAt) % 1000 !== 0;
}

/** kind, counted up to BACKLOG_COUNTED_MAX, of these sent, held, and when the oldest was accepted. */
export type BacklogRow = readonly [number, number, number, number, number | null];

export function backlogOf(rows: readonly BacklogRow[]): {
  kinds: Record<Kind, KindBacklog>;
  capped: boolean;
} {
  const none: KindBacklog = { count: 0, sent: 0, held: 0, oldestAt: null };
  const kinds: Record<Kind, KindBacklog> = { comment: none, userNotice: none, systemNotice: none };
  for (const [kind, count, sent, held, oldestAt] of rows)
    if (count > 0) kinds[kindOf(kind)] = { count, sent, held, oldestAt };
  return { kinds, capped: rows.some(([, count]) => count >= BACKLOG_COUNTED_MAX) };
}
