/**
 * What passes between the process and its store thread: one typed map of calls, plain arrays, numbers and strings.
 *
 * Message ids cross as decimal strings, but for the new ones of `accept`, which cross as 64-bit words. The words
 * `after`, `now` and the like are those of the contract in ../message-store.ts.
 */
import type { Moment } from '../../../shared/base/clock.js';
import type { ErrorCode } from '../../../shared/base/errors.js';
import type { MessageStatus, UnreadCounts } from '../../../shared/domain/message.js';
import type { MessageId } from '../../../shared/domain/message-id.js';
import type { AcceptAnswer, AcceptArgs } from '../accept-runs.js';
import type { PendingArgs } from '../call-arguments.js';
import type { BacklogRow, FactsRow } from '../message-facts.js';
import type { SpilledMessage, SpilledReceipt } from '../spill/spill-target.js';
import type { ItemRows } from './item-rows.js';

export interface PendingAnswer {
  /** Whose the rows are, in their order. */
  readonly users: readonly { readonly uid: number; readonly count: number }[];
  readonly items: ItemRows;
}

export interface MarkSentArgs {
  readonly marks: readonly {
    readonly id: MessageId;
    readonly settled: boolean;
    /** JSON list of users. */
    readonly uids: string;
  }[];
  readonly at: number;
}

export interface AckArgs {
  readonly uid: number;
  /** JSON list of message ids. */
  readonly ids: string;
  readonly at: number;
}

export interface ReadArgs {
  readonly uid: number;
  /** JSON list of message ids, or null: everything of `kinds`. */
  readonly ids: string | null;
  readonly kinds: readonly number[];
  readonly at: number;
  readonly now: number;
}

export interface ListArgs {
  readonly uid: number;
  readonly kinds: readonly number[];
  readonly unread: boolean;
  readonly cursor: MessageId;
  readonly limit: number;
  readonly now: number;
}

export interface ListAnswer {
  readonly items: ItemRows;
  /** One for each row. */
  readonly read: readonly boolean[];
  readonly more: boolean;
}

/** What is pending of a user, by kind. */
export interface BacklogAnswer {
  readonly known: boolean;
  readonly rows: readonly BacklogRow[];
}

/** A row of the spill without its text. */
export type SpillRow = Omit<SpilledMessage, 'body'>;

export interface SpillSliceAnswer {
  readonly rows: readonly SpillRow[];
  /** Texts by body id. */
  readonly bodies: ReadonlyMap<string, string>;
}

export interface SpillMovedArgs {
  readonly messages: readonly SpillRow[];
  readonly receipts: readonly SpilledReceipt[];
}

export interface StoreCalls {
  accept: { args: AcceptArgs; answer: AcceptAnswer };
  pending: { args: PendingArgs; answer: PendingAnswer };
  markSent: { args: MarkSentArgs; answer: null };
  ack: { args: AckArgs; answer: number };
  read: { args: ReadArgs; answer: number };
  list: { args: ListArgs; answer: ListAnswer };
  unread: { args: { readonly uid: number; readonly now: number }; answer: UnreadCounts };
  status: { args: { readonly id: MessageId; readonly now: number }; answer: MessageStatus | null };
  inspect: { args: { readonly id: MessageId }; answer: FactsRow | null };
  backlog: { args: { readonly uid: number; readonly now: number }; answer: BacklogAnswer };
  release: { args: { readonly kind: number; readonly at: number }; answer: null };
  prune: { args: { readonly expiredBefore: number; readonly limit: number }; answer: number };
  pendingCount: { args: null; answer: number };
  probe: { args: { readonly at: number }; answer: null };
  /** As accept; id 0 where there is no double. */
  spillDoubles: { args: AcceptArgs; answer: AcceptAnswer };
  /** JSON list of message ids. */
  spillPresent: { args: { readonly ids: string }; answer: MessageId[] };
  spillWaiting: { args: null; answer: number };
  spillSlice: { args: { readonly after: MessageId; readonly limit: number }; answer: SpillSliceAnswer };
  spillReceipts: { args: { readonly id: MessageId; readonly limit: number }; answer: SpilledReceipt[] };
  spillMoved: { args: SpillMovedArgs; answer: null };
  spillRename: { args: { readonly from: MessageId; readonly to: MessageId }; answer: null };
  spillLease: {
    args: { readonly held: number; readonly atMs: number; readonly until: number };
    answer: boolean;
  };
}

export type CallName = keyof StoreCalls;
export type ArgsOf<N extends CallName> = StoreCalls[N]['args'];
export type AnswerOf<N extends CallName> = StoreCalls[N]['answer'];

/** Which calls change something, and so go into a group and its transaction. */
export const WRITES = {
  accept: true,
  pending: false,
  markSent: true,
  ack: true,
  read: true,
  list: false,
  unread: false,
  status: false,
  inspect: false,
  backlog: false,
  release: true,
  prune: true,
  pendingCount: false,
  probe: true,
  spillDoubles: false,
  spillPresent: false,
  spillWaiting: false,
  spillSlice: false,
  spillReceipts: false,
  spillMoved: true,
  spillRename: true,
  spillLease: true,
} as const satisfies Record<CallName, boolean>;

export interface Call<N extends CallName = CallName> {
  readonly seq: number;
  readonly name: N;
  readonly args: ArgsOf<N>;
  /** How much it adds to a group. */
  readonly rows: number;
  readonly bytes: number;
  /** By the machine's clock, which the thread reads too. */
  readonly calledAt: Moment;
}

export interface Failure {
  readonly code: ErrorCode;
  readonly text: string;
}

export type Answer =
  | { readonly seq: number; readonly ok: true; readonly value: AnswerOf<CallName> }
  | { readonly seq: number; readonly ok: false; readonly failure: Failure };

export type ToThread =
  | { readonly type: 'calls'; readonly calls: readonly Call[] }
  | { readonly type: 'close' };

export type FromThread =
  /** The file is open; `highest` is the highest message id in it, 0 when there is none. */
  | { readonly type: 'opened'; readonly highest: bigint }
  /** The file could not be opened; the thread ends. */
  | { readonly type: 'refused'; readonly failure: Failure }
  | { readonly type: 'answers'; readonly answers: readonly Answer[] }
  /** The thread ends because its connection must be replaced; what it has not answered it has not begun. */
  | { readonly type: 'retired'; readonly reason: string };

export interface ThreadData {
  readonly file: string;
  /** Whether a file that is not there may be made. */
  readonly create: boolean;
  readonly lockWaitMs: number;
  /** Memory of the thread's ExitGate. */
  readonly gate: SharedArrayBuffer;
}
