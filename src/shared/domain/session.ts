/**
 * A session is plain data beside a socket: everything spush knows about one connection, so that it can be handed to
 * another Worker with it. It holds no functions, no timers and no socket.
 */
import type { Moment } from '../base/clock.js';

export interface Login {
  readonly uid: number;
  /** `ukey` is the web's, `token` the app's. */
  readonly channel: 'web' | 'app';
  /** Digest of the key that logged in: a login with the same key is idempotent, the key itself is not kept. */
  readonly keyDigest: string;
  readonly device: string | null;
  /** This client acknowledges; when false, written to the socket counts as delivered. */
  readonly ack: boolean;
  /** Unix ms. */
  readonly since: number;
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
  /** Unreadable frames in a row. */
  unreadable: number;
  /** Messages and read marks written to this socket (their ids) and when, newest last, bounded. */
  readonly seen: Map<string, Moment>;
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
