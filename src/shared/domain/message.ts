import type { Kind } from './kind.js';
import type { MessageId } from './message-id.js';

/** Now: pushed at once to online users. Cron: waits for the job of its kind. */
export type Deliver = 'now' | 'cron';

/**
 * `data` of a message: the text of one JSON object, without blanks between its tokens. It is never parsed on its way, so that it
 * goes out as it came in (see ../protocol/data-text.ts, which alone makes these).
 */
export type DataText = string & { readonly __brand: 'DataText' };

/** What a client gets to see of a message; `items` of `push` and `list`. */
export interface MessageItem {
  readonly id: MessageId;
  readonly kind: Kind;
  /** Absent on system notices, which are for everybody. */
  readonly uid?: number;
  readonly title: string;
  readonly content: string;
  readonly url?: string;
  readonly data?: DataText;
  /** Unix milliseconds. */
  readonly createdAt: number;
}

/** A message for one user (or, uid null, for everybody) that the store is asked to keep. */
export interface NewMessage {
  readonly kind: Kind;
  readonly uid: number | null;
  readonly title: string;
  readonly content: string;
  readonly url: string | null;
  readonly data: DataText | null;
  /** The caller's own key: the same (kind, uid, callerId) is stored once. */
  readonly callerId: string | null;
  /** A newer pending message of the same (kind, uid, collapse) replaces the older. */
  readonly collapse: string | null;
  readonly deliver: Deliver;
  /** Unix milliseconds. */
  readonly createdAt: number;
  /** Unix milliseconds. */
  readonly expiresAt: number;
}

export type MessageState = 'pending' | 'sent' | 'acked' | 'read' | 'expired';

/** Answer of `GET /api/message/:id`; times are Unix milliseconds. */
export interface MessageStatus {
  readonly id: MessageId;
  readonly kind: Kind;
  readonly uid: number | null;
  readonly state: MessageState;
  readonly deliver: Deliver;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly sentAt: number | null;
  readonly ackedAt: number | null;
  readonly readAt: number | null;
  /** System notices only: how many users' receipts say so. */
  readonly receipts?: { readonly sent: number; readonly acked: number; readonly read: number };
}

/**
 * What a store knows of a message, but for what it says: for the person who asks why it did not arrive. `replaced` is told
 * apart here; in `MessageStatus` such a message is `expired`, as it is to its reader.
 */
export interface MessageFacts extends Omit<MessageStatus, 'state' | 'receipts'> {
  readonly state: MessageState | 'replaced';
  /** As in the status; null: it is for one user. */
  readonly receipts: NonNullable<MessageStatus['receipts']> | null;
  /** The next message of the same `collapse`; null: not replaced, or that message was deleted already. */
  readonly replacedBy: MessageId | null;
  /** It waits for the next run of the job of its kind. */
  readonly held: boolean;
  /** Nothing more is to be delivered of it; of a notice this is so for all users only when it was replaced. */
  readonly settled: boolean;
  /** What it says, as it is stored, in UTF-8; copies for other users of the same call share it. */
  readonly bytes: number;
  /** In the database that all nodes share (or the file that stands for it), or in the spill of one node. */
  readonly storedIn: 'store' | 'spill';
}

/** What a user has still to get of one kind. */
export interface KindBacklog {
  readonly count: number;
  /** Of these, sent at least once and not acknowledged. */
  readonly sent: number;
  /** Of these, waiting for the next run of the job of the kind. */
  readonly held: number;
  /** Unix ms: when the oldest of them was accepted; null: there is none. */
  readonly oldestAt: number | null;
}

export interface UserBacklog {
  /** A message for this user is stored, whatever became of it; notices for everybody do not count. */
  readonly known: boolean;
  readonly kinds: Readonly<Record<Kind, KindBacklog>>;
  /** Of one kind as many were counted as are counted at most: there may be more. */
  readonly capped: boolean;
}

export interface UnreadCounts {
  readonly comment: number;
  readonly userNotice: number;
  readonly systemNotice: number;
  readonly total: number;
}

/** What `read` marks: some messages, a kind, or everything. */
export type ReadMark =
  | { readonly ids: readonly MessageId[] }
  | { readonly kind: Kind }
  | { readonly all: true };
