/**
 * The contract of the message store, in the domain's verbs. Every implementation passes `test/contract/message-store-contract.ts`.
 *
 * Promises: what `accept` answered survives any kill of any process and a loss of power; calls made together share one
 * commit; a call either happens whole or not at all. Every method throws SpushError STORE_UNAVAILABLE when the store
 * cannot keep or read what is asked, and STORE_BUSY when too much is waiting already; then nothing was changed.
 *
 * Not part of it: who is online, sending, sessions, signatures.
 */
import type { Kind } from '../../shared/domain/kind.js';
import type {
  MessageFacts,
  MessageItem,
  MessageStatus,
  NewMessage,
  ReadMark,
  UnreadCounts,
  UserBacklog,
} from '../../shared/domain/message.js';
import type { MessageId } from '../../shared/domain/message-id.js';

export interface Accepted {
  /** The stored id; of the message stored first when this one is a duplicate. */
  readonly id: MessageId;
  readonly duplicate: boolean;
  /** False when a duplicate was already sent to somebody, acknowledged or read: it need not be pushed again. */
  readonly unsent: boolean;
  /** It waits in the spill of this node until the store is back (see spill/spilling-store.ts). */
  readonly spilled?: true;
}

export interface PendingQuery {
  /** Only ids above this one. */
  readonly after?: MessageId;
  readonly kind?: Kind;
  /**
   * Unix ms: messages sent at or after this moment are left out (the sweep does not send again so soon). Not those whose
   * stamp is ahead of now by more than clocks may differ: the clock was set back, and they would wait until it is there again.
   */
  readonly notSentSince?: number;
  /** Also messages above this one that were settled and not read: what another device of the user got and this one may not have. */
  readonly settledSince?: MessageId;
  readonly limit: number;
}

export interface ListQuery {
  readonly kind?: Kind;
  readonly unread?: boolean;
  /** Only ids below this one. */
  readonly cursor?: MessageId;
  readonly limit: number;
}

/** An item of `list`: what a push carries, and whether this user has read it. */
export type ListedItem = MessageItem & { readonly read: boolean };

export interface SentMark {
  readonly uid: number;
  readonly id: MessageId;
  /** True when "written to the socket" counts as delivered (a client that never acknowledges). */
  readonly settled: boolean;
}

/** Messages of one kind and user that are counted: enough to know that something is wrong, and soon done. */
export const BACKLOG_COUNTED_MAX = 10_000;

export interface MessageStore {
  /**
   * Keeps all of them or none. Ids rise in the order given. Doubles by (kind, uid, callerId), inside the call too,
   * answer with the id stored first. A pending message of the same (kind, uid, collapse) expires at once.
   */
  accept(messages: readonly NewMessage[]): Promise<Accepted[]>;

  /**
   * What a user has still to get, ids rising: not acknowledged or read, not expired, personal or for everybody.
   * Cron messages only after a release of their kind (see `release`). With `settledSince` also some that are settled.
   */
  pending(uid: number, query: PendingQuery): Promise<MessageItem[]>;

  /** `pending` for many users at once, at most `limit` each. Its cost follows the users asked for, not what is stored. Users with nothing are absent. */
  pendingForMany(uids: readonly number[], query: PendingQuery): Promise<Map<number, MessageItem[]>>;

  /** Written to at least one socket. Marks on messages that are settled or gone change nothing. */
  markSent(marks: readonly SentMark[], at: number): Promise<void>;

  /** The user's client has them. Answers how many changed: 0 for ids that are unknown, of others, or acknowledged before. */
  ack(uid: number, ids: readonly MessageId[], at: number): Promise<number>;

  /** The user has read them (which settles delivery too). Answers how many changed. `kind` and `all` mean what is stored and not expired at this moment. */
  read(uid: number, mark: ReadMark, at: number): Promise<number>;

  /** The user's inbox, newest first, not expired. `next` is the cursor of the next page or null. */
  list(uid: number, query: ListQuery): Promise<{ items: ListedItem[]; next: MessageId | null }>;

  unread(uid: number): Promise<UnreadCounts>;

  /** What became of a message; null when unknown or pruned. */
  status(id: MessageId): Promise<MessageStatus | null>;

  /** All that is known of a message, but for what it says; null when unknown or pruned. */
  inspect(id: MessageId): Promise<MessageFacts | null>;

  /** What is pending of a user, counted: up to BACKLOG_COUNTED_MAX of each kind. */
  backlog(uid: number): Promise<UserBacklog>;

  /** What waits in a file of this node until the store is back, asked by itself; null: this store has none. */
  readonly spilled: Pick<MessageStore, 'inspect' | 'backlog'> | null;

  /** The job of this kind runs: cron messages accepted until now may be delivered from now on. */
  release(kind: Kind, at: number): Promise<void>;

  /** Deletes messages that expired at or before `expiredBefore` (Unix ms) and their receipts, at most `limit`; answers how many. */
  prune(expiredBefore: number, limit: number): Promise<number>;

  /** How many messages are still to be delivered (personal ones; expired ones not yet pruned may be counted). */
  pendingCount(): Promise<number>;

  /** Writes and commits something harmless; throws when the store cannot keep messages now. For readiness. */
  probe(): Promise<void>;

  /** Finishes what was called before and lets go of everything. Calls after it throw STORE_UNAVAILABLE. */
  close(): Promise<void>;
}
