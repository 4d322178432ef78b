/**
 * A connection on its way from one Worker to another: what travels beside its socket. Plain data; the three processes it
 * passes (leave, carry, adopt) speak `handoff.*` of ipc.ts.
 *
 *     old Worker             master                  new Worker
 *     leave  <---------------
 *     expect --------------> expect ---------------> follows the users, keeps what comes for them
 *     session + socket ----> session + socket -----> builds the connection, does not read yet
 *                            adopted  <------------- then reads and writes
 *     closes its copy <----- adopted
 *
 * The old Worker keeps its own copy of the descriptor until `adopted` is heard, and the new one touches the connection only
 * after `adopted` is in the channel: so exactly one of them owns it, whichever of them dies.
 */
import type { MessageItem } from '../domain/message.js';
import type { MessageId } from '../domain/message-id.js';
import type { Login } from '../domain/session.js';

/** Where a replay that was under way goes on. */
export interface TravellingReplay {
  /** Everything up to here is written; null: from the beginning. */
  readonly after: MessageId | null;
  /** Live messages that wait for its end. */
  readonly held: readonly MessageItem[];
  /** The reader has still to be told that copies above this one were left out. */
  readonly missedAbove: MessageId | null;
  /** Above this one also what other devices settled is read; null: nothing was missed. */
  readonly settledSince: MessageId | null;
}

/** `LifeSigns` as they travel. */
export interface TravellingLife {
  readonly silentSince: number | null;
  readonly probedAt: number | null;
  readonly asked: number;
  readonly answered: number;
  /** Message, number of its question, when it was written. */
  readonly unconfirmed: readonly (readonly [MessageId, number, number])[];
}

/**
 * A session as it travels; what it holds is documented at `SessionData` and `LiveSession`. Its moments are milliseconds, with
 * fractions, of the machine's monotonic clock, which both Workers read.
 */
export interface TravellingSession {
  readonly id: string;
  readonly address: string;
  readonly connectedAt: number;
  readonly login: Login | null;
  readonly lastTrafficAt: number;
  /** A Worker of an earlier version does not say it. */
  readonly lastHeardAt?: number;
  readonly unreadable: number;
  readonly seen: readonly (readonly [string, number])[];
  readonly life: TravellingLife;
  /** The rate bucket: what is left in it, and when that was counted. */
  readonly rate: { readonly tokens: number; readonly filledAt: number };
  /** Commands refused for their rate, in a row. */
  readonly refused: number;
  readonly holdsVisitorPlace: boolean;
  readonly replay: TravellingReplay | null;
  /** Notices whose turn had not come. */
  readonly owed: readonly MessageItem[];
  /** Bytes of the client that were read and are not finished messages: base64, as they were on the wire. */
  readonly head: string;
  /** Since when nobody reads from it. */
  readonly leftAt: number;
}

/** A session that will come: the new Worker follows its user from now on. */
export interface ExpectedSession {
  readonly id: string;
  readonly uid: number | null;
}

/**
 * Why a connection could not be handed over and was closed: TLS ends in this process; output that the client does not take;
 * a command that does not end; too many unread bytes; a library that is not the one this was written for.
 */
export const NOT_MOVABLE = ['tls', 'output', 'command', 'bytes', 'internals'] as const;
export type NotMovable = (typeof NOT_MOVABLE)[number];
export type ClosedByReason = Readonly<Partial<Record<NotMovable, number>>>;

/** What the old Worker says when it has nothing left to hand over, or was told to stop handing over. */
export interface LeaveResult {
  readonly closed: ClosedByReason;
  /** Connections it still holds: those that came back, or that were left when it was told to stop. */
  readonly left: number;
}
