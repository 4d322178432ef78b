/**
 * Where connections become users' and visitors' again. Logins and logouts of one connection happen one after the other;
 * a user is followed on the bus as long as one of his sessions is here.
 */
import { createHash } from 'node:crypto';
import type { UserVerifier } from '../../platform/auth/user-verifier.js';
import type { SystemConfig } from '../../platform/config/config-schema.js';
import { type Clock, type Moment, msBetween } from '../../shared/base/clock.js';
import { SpushError } from '../../shared/base/errors.js';
import type { Login } from '../../shared/domain/session.js';
import { CLOSE } from '../../shared/protocol/close-codes.js';
import { type LiveSession, newReplayState } from './live-session.js';
import type { LoginTries } from './login-tries.js';
import { forgetSent } from './session.js';
import type { SessionRegistry } from './session-registry.js';
import type { UserFollows } from './user-follows.js';
import type { VisitorPlaces } from './visitor-places.js';

/** Logins and logouts of one connection that may wait for their turn. */
const TURNS_MAX = 8;
/** Users kicked lately that are remembered, for logins under way. */
const KICKED_MAX = 10_000;

export interface LoginRequest {
  readonly key: { readonly channel: 'web' | 'app'; readonly value: string };
  readonly ack: boolean;
  readonly device: string | null;
}

export interface LoginResult {
  readonly login: Login;
  /** False when the session was this user's already, by the same key. */
  readonly fresh: boolean;
}

export interface LoginDeskDeps {
  readonly verifier: UserVerifier;
  readonly sessions: SessionRegistry;
  readonly follows: UserFollows;
  readonly tries: LoginTries;
  readonly visitors: VisitorPlaces;
  readonly system: () => SystemConfig;
  readonly clock: Clock;
  /** Seconds until a client that is sent away may come back, spread. */
  readonly retryAfter: () => number;
  /** The address as the budgets count it; null when it is free. */
  readonly budgetKey: (address: string) => string | null;
}

export class LoginDesk {
  readonly #deps: LoginDeskDeps;
  readonly #kicked = new Map<number, Moment>();
  /** When the memory of kicks was last emptied because it was full: a login that began before may be of a kicked user. */
  #forgottenAt: Moment | null = null;
  readonly #turns = new WeakMap<LiveSession, { waiting: number; last: Promise<unknown> }>();

  constructor(deps: LoginDeskDeps) {
    this.#deps = deps;
  }

  login(session: LiveSession, request: LoginRequest): Promise<LoginResult> {
    return this.#inTurn(session, () => this.#login(session, request));
  }

  /** The session is a visitor's afterwards. `only`: unless it has another login by then. */
  logout(session: LiveSession, only?: Login): Promise<void> {
    return this.#inTurn(session, async () => {
      if (session.data.login === null || (only && session.data.login !== only)) return;
      await this.#becomeVisitor(session);
    });
  }

  /** The site closes this user's connections: a login that is under way is refused too. */
  kicked(uid: number): void {
    const now = this.#deps.clock.moment();
    this.#kicked.set(uid, now);
    if (this.#kicked.size <= KICKED_MAX) return;
    this.#kicked.clear();
    this.#forgottenAt = now;
  }

  /** The connection is closed: nothing of it stays. */
  closed(session: LiveSession): void {
    this.#leave(session);
    this.#deps.sessions.remove(session);
    this.#deps.visitors.closed(session);
  }

  /** A session that was logged in elsewhere is here now; its user is followed already. */
  arrived(session: LiveSession, login: Login | null): void {
    this.#deps.sessions.add(session);
    if (login) this.#deps.sessions.login(session, login);
  }

  /** The session is another Worker's, which has what it held here. */
  departed(session: LiveSession): void {
    this.#leave(session);
    this.#deps.sessions.remove(session);
    this.#deps.visitors.departed(session);
  }

  async #login(session: LiveSession, { key, ack, device }: LoginRequest): Promise<LoginResult> {
    const { verifier, sessions, follows, clock } = this.#deps;
    const keyDigest = createHash('sha256').update(`${key.channel}:${key.value}`).digest('base64');
    const { login: before } = session.data;
    if (before?.keyDigest === keyDigest) {
      const login: Login = { ...before, ack, device };
      session.data.login = login;
      return { login, fresh: false };
    }
    const begun = clock.moment();
    const uid = await this.#verify(session, key, verifier);
    const kicked = this.#kicked.get(uid);
    if (kicked !== undefined && msBetween(begun, kicked) >= 0) {
      throw new SpushError('UNAUTHORIZED', 'closed by the site');
    }
    if (this.#forgottenAt !== null && msBetween(begun, this.#forgottenAt) >= 0) {
      throw new SpushError('GZCP_UNAVAILABLE', 'this user may have been kicked during the login: try again');
    }
    assertOpen(session);
    this.#leave(session);
    this.#makeRoom(uid);
    const login: Login = { uid, channel: key.channel, keyDigest, device, ack, since: clock.now() };
    session.replay = newReplayState();
    sessions.login(session, login);
    try {
      await follows.follow(uid);
    } catch (error) {
      await this.#becomeVisitor(session);
      throw error;
    }
    assertOpen(session);
    this.#deps.visitors.giveBack(session);
    return { login, fresh: true };
  }

  async #becomeVisitor(session: LiveSession): Promise<void> {
    this.#leave(session);
    if (session.connection.open && !(await this.#deps.visitors.take(session))) {
      session.connection.end(CLOSE.tryLater, 'no place for another visitor', this.#deps.retryAfter());
    }
  }

  async #verify(session: LiveSession, key: LoginRequest['key'], verifier: UserVerifier): Promise<number> {
    const address = this.#deps.budgetKey(session.data.address);
    if (address === null) return await verifier.verify(key);
    return await this.#deps.tries.run(address, () => {
      // It may have waited for others.
      assertOpen(session);
      return verifier.verify(key);
    });
  }

  /** A user's oldest connection goes when there are too many. */
  #makeRoom(uid: number): void {
    const sessions = this.#deps.sessions.ofUser(uid);
    let over = sessions.size + 1 - this.#deps.system().LinksPerUser;
    for (const oldest of sessions) {
      if (over <= 0) return;
      over -= 1;
      oldest.connection.end(CLOSE.replaced, 'replaced: this user has too many connections', null);
    }
  }

  #leave(session: LiveSession): void {
    session.replay = null;
    session.missed = null;
    forgetSent(session.data);
    const login = this.#deps.sessions.logout(session);
    if (login) this.#deps.follows.unfollow(login.uid);
  }

  async #inTurn<T>(session: LiveSession, run: () => Promise<T>): Promise<T> {
    const turns = this.#turns.get(session) ?? { waiting: 0, last: Promise.resolve() };
    this.#turns.set(session, turns);
    if (turns.waiting >= TURNS_MAX)
      throw new SpushError('TOO_MANY', 'too many logins on this connection at once');
    turns.waiting += 1;
    const turn = turns.last.then(run, run);
    turns.last = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      turns.waiting -= 1;
    }
  }
}

function assertOpen(session: LiveSession): void {
  if (!session.connection.open) {
    throw new SpushError('SHUTTING_DOWN', 'the connection closed before the login was done');
  }
}
