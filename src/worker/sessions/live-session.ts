/**
 * A session and the connection it belongs to. The data can travel to another Worker; what is here besides stays behind.
 */
import type { Moment } from '../../shared/base/clock.js';
import type { MessageItem } from '../../shared/domain/message.js';
import type { MessageId } from '../../shared/domain/message-id.js';
import type { Login, SessionData } from '../../shared/domain/session.js';
import type { CloseCode } from '../../shared/protocol/close-codes.js';
import type { WriteResult } from '../gateway/outbox.js';
import type { SilenceLimits } from '../gateway/signs-of-life.js';

/** What delivery and commands may do with a connection. */
export interface Connection {
  /** An answer to what the client has just said, or something of the kind, that is not kept elsewhere. */
  put(frame: Buffer): void;
  /** News that is not kept elsewhere; the other side is watched for a sign of life after it, as after `offer`. */
  tell(frame: Buffer): void;
  /** A copy of something the store holds. `confirm`: messages of which it is to be known whether they arrive. */
  offer(frame: Buffer, confirm?: readonly MessageId[]): WriteResult;
  /** Resolves when there is room for more copies, or the connection is closed. */
  drained(): Promise<void>;
  /** So little is unsent that whoever has a choice may write. */
  readonly flowing: boolean;
  /** Resolves when it is flowing, or the connection is closed. */
  emptied(): Promise<void>;
  /** What the client says waits in the socket from now on, but for what was read already. */
  pause(): void;
  resume(): void;
  /** Unsent bytes have made no progress for too long. */
  stalled(now: Moment): boolean;
  /** To be called now and then: asks when it has been silent for long; true when there was no sign of life after that. */
  lost(now: Moment, limits: SilenceLimits): boolean;
  readonly open: boolean;
  /** Written, and not taken by the socket. */
  readonly unsentBytes: number;
  /** Says bye and closes. `retryAfter`: seconds, or null when the client must not come back by itself. */
  end(code: CloseCode, reason: string, retryAfter: number | null): void;
  /**
   * The same with 1008, for a client that does what none does. It is not read any longer: until it has closed its side too it
   * could go on with what it is sent away for.
   */
  sendAway(reason: string): void;
  /** Closes the socket at once. */
  cut(): void;
}

export interface ReplayState {
  held: MessageItem[];
  running: boolean;
  /** More came than can be held: the store has them, and is read on. */
  overflowed: boolean;
  /** Read the store once more, from the beginning, before it ends. */
  again: boolean;
  /** Everything up to here is written; null: nothing yet. */
  after: MessageId | null;
  /** The reader has still to be told that copies above this one were left out, which it may have to look for itself. */
  missedAbove: MessageId | null;
  /** Above this one also what the user's other devices settled is read: this one may have missed its copy. Null: nothing was missed. */
  settledSince: MessageId | null;
}

/** A replay that has not begun. */
export function newReplayState(): ReplayState {
  return {
    held: [],
    running: false,
    overflowed: false,
    again: false,
    after: null,
    missedAbove: null,
    settledSince: null,
  };
}

export interface LiveSession {
  readonly data: SessionData;
  readonly connection: Connection;
  /** From login until its replay is done: live messages wait here until the older ones are written. */
  replay: ReplayState | null;
  /** The lowest message of which a copy was left out since the last replay, or null. */
  missed: MessageId | null;
}

export interface LoggedInSession extends LiveSession {
  readonly data: SessionData & { readonly login: Login };
}

export function isLoggedIn(session: LiveSession): session is LoggedInSession {
  return session.data.login !== null;
}

/** The session is open and this user's. */
export function isOf(session: LiveSession, uid: number): session is LoggedInSession {
  return session.connection.open && isLoggedIn(session) && session.data.login.uid === uid;
}
