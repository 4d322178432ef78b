/**
 * A session is plain data beside a socket: everything spush knows about one connection, so that it can be handed to
 * another Worker with it. It holds no functions, no timers and no socket.
 */
import type { Moment } from '../base/clock.js';
import type { MessageId } from './message-id.js';

export interface Login {
  readonly uid: number;
  /** `ukey` is the web's, `token` the app's. */
  readonly channel: 'web' | 'app';
  /** Digest of the key that logged in: a login with the same key is idempotent, the key itself is not kept. */
  readonly keyDigest: string;
  readonly device: string | null;
  /** This client acknowledges; when false, what is known to have reached it counts as delivered. */
  readonly ack: boolean;
  /** Unix ms. */
  readonly since: number;
}

/** What is known of whether the other side is there, and of what it has got: see worker/gateway/signs-of-life.ts. */
export interface LifeSigns {
  /** Of the first push after which nothing has come in; null: something has, or nothing was pushed. */
  silentSince: Moment | null;
  /** When a silent one was asked; null: it was not. */
  probedAt: Moment | null;
  /** Number of the last question, and of the last one that was answered. */
  asked: number;
  answered: number;
  /** Messages that a client which does not acknowledge was sent and is not known to have, the oldest first, bounded. */
  readonly unconfirmed: Map<MessageId, Unconfirmed>;
}

export interface Unconfirmed {
  /** Number of the question whose answer says that it has arrived. */
  readonly question: number;
  readonly at: Moment;
}

export interface SessionData {
  readonly id: string;
  /** The client's address as trusted proxies tell it. */
  readonly address: string;
  /** Unix ms. */
  readonly connectedAt: number;
  login: Login | null;
  /** Of the last traffic in either direction. */
  lastTrafficAt: Moment;
  /** When the client was heard of last: a whole frame, or the answer to a ping. */
  lastHeardAt: Moment;
  /** Unreadable frames in a row. */
  unreadable: number;
  /** Messages and read marks written to this socket (their ids) and when, newest last, bounded. */
  readonly seen: Map<string, Moment>;
  readonly life: LifeSigns;
}

/** What only operators are told of a connection. */
export interface SessionDetails {
  readonly address: string;
  /** Unix ms. */
  readonly connectedAt: number;
  /** How long ago the client was heard of last. */
  readonly heardMsAgo: number;
  readonly ack: boolean;
  /** Messages that a client which does not acknowledge was sent and is not known to have. */
  readonly unconfirmed: number;
  /** Written, and not taken by the other side. */
  readonly unsentBytes: number;
  /** What is pending is being written to it; live messages wait for the end of that. */
  readonly replaying: boolean;
  /** Live copies were left out, because it takes its output too slowly; it has still to get them from the store. */
  readonly leftOut: boolean;
  /** How long ago the oldest push was since which nothing has been heard; null: there is none. */
  readonly silentMs: number | null;
}

/** What `GET /api/user/:uid` tells of a connection. */
export interface SessionSummary {
  readonly session: string;
  readonly channel: 'web' | 'app';
  readonly device: string | null;
  /** Unix ms of the login. */
  readonly since: number;
  readonly node: string;
  readonly worker: string;
}
