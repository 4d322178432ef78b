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
