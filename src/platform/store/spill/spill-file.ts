/**
 * The file that holds what was accepted while the store was away, shared by all processes of a node. It is an embedded store
 * of its own; what it has beyond that contract serves the move out of it.
 */

import type { NewMessage } from '../../../shared/domain/message.js';
import type { MessageId } from '../../../shared/domain/message-id.js';
import type { Accepted, MessageStore } from '../message-store.js';
import type { SpilledMessage, SpilledReceipt } from './spill-target.js';

export interface SpillFile
  extends Pick<
    MessageStore,
    | 'ack'
    | 'read'
    | 'markSent'
    | 'status'
    | 'inspect'
    | 'backlog'
    | 'release'
    | 'prune'
    | 'pendingCount'
    | 'close'
  > {
  /** As in the contract, under these ids. */
  accept(messages: readonly NewMessage[], ids: BigInt64Array): Promise<Accepted[]>;
  /** For each message the one in the file with the same key of the caller, or null. */
  doubles(messages: readonly NewMessage[]): Promise<(Accepted | null)[]>;
  /** Which of these are in the file. */
  present(ids: readonly MessageId[]): Promise<MessageId[]>;
  /** How many messages are in the file. */
  waiting(): Promise<number>;
  /** The next ones above an id, ids rising; fewer than `limit` when their texts are long. Empty: there are no more. */
  slice(after: MessageId, limit: number): Promise<SpilledMessage[]>;
  receipts(id: MessageId, limit: number): Promise<SpilledReceipt[]>;
  /** Deletes those of them that are still as they were read: what changed meanwhile stays for the next move. */
  moved(messages: readonly SpilledMessage[], receipts: readonly SpilledReceipt[]): Promise<void>;
  /** The message goes on under another id. */
  rename(from: MessageId, to: MessageId): Promise<void>;
  /**
   * Takes the right to move until a moment, or keeps it (`held`: the moment it was taken until); false when another has it.
   * All in whole milliseconds of the machine's monotonic clock, which all processes of the node share.
   */
  lease(lease: { readonly held: number; readonly atMs: number; readonly until: number }): Promise<boolean>;
}
