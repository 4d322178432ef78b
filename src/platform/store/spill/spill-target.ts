/**
 * What the spill needs of the store it stands in for, beyond the contract: ids made up front, an `accept` that tells which
 * ids it tried, and taking in what was spilled.
 */

import type { NewMessage } from '../../../shared/domain/message.js';
import type { MessageId } from '../../../shared/domain/message-id.js';
import type { Accepted, MessageStore } from '../message-store.js';

/** Filled by `accept`: the ids under which a call that failed may have been kept all the same; null when it was not tried. */
export interface AcceptAttempt {
  ids: BigInt64Array | null;
}

/** A spilled message as it is kept, with what became of it meanwhile. */
export interface SpilledMessage {
  readonly id: MessageId;
  readonly uid: number;
  readonly kind: number;
  /** Equal numbers, equal texts: copies of one call share it. */
  readonly bodyId: string;
  readonly body: string;
  readonly cron: boolean;
  /** A cron message whose job ran since. */
  readonly released: boolean;
  /** Still to be delivered. */
  readonly open: boolean;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly sentAt: number | null;
  readonly ackedAt: number | null;
  readonly readAt: number | null;
  readonly callerKey: string | null;
  readonly collapseKey: string | null;
}

/** What one user did with a spilled notice for everybody. */
export interface SpilledReceipt {
  readonly id: MessageId;
  readonly uid: number;
  readonly open: boolean;
  readonly sentAt: number;
  readonly ackedAt: number | null;
  readonly readAt: number | null;
}

export interface TakeIn {
  readonly messages: readonly SpilledMessage[];
  /** Of these messages. */
  readonly receipts: readonly SpilledReceipt[];
}

export interface TakenIn {
  /** Stored by this call. */
  readonly stored: number;
  /** Stored before: under the same id (an accept that was in doubt, a move that was cut off) or the same key of the caller. */
  readonly known: number;
  /** Not stored: another message has this id. */
  readonly idTaken: readonly MessageId[];
  /** Stored by this call, to be delivered now, and not sent to anybody yet. */
  readonly live: readonly MessageId[];
}

export interface SpillTarget extends MessageStore {
  accept(messages: readonly NewMessage[], attempt?: AcceptAttempt): Promise<Accepted[]>;
  /** Of the source that `accept` uses. */
  newIds(count: number): BigInt64Array;
  /** All or nothing, and as often as wanted: what is there already is recognised. */
  takeIn(spilled: TakeIn): Promise<TakenIn>;
  /** Whether the store failed because it is away, and not because of what it was asked. */
  isAway(error: unknown): boolean;
  /** Whether it failed because of what it was asked, and would fail again. */
  isRefusal(error: unknown): boolean;
}
