/** Who is connected to this Worker: every session, and each user's sessions. */
import { assert } from '../../shared/base/assert.js';
import type { Login } from '../../shared/domain/session.js';
import { isLoggedIn, type LiveSession, type LoggedInSession } from './live-session.js';

export class SessionRegistry {
  readonly #sessions = new Set<LiveSession>();
  readonly #byUid = new Map<number, Set<LoggedInSession>>();
  #loggedIn = 0;
  #uidPages: number[] = [];

  /** Open connections. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Connections that are logged in. */
  get loggedIn(): number {
    return this.#loggedIn;
  }

  add(session: LiveSession): void {
    this.#sessions.add(session);
  }

  remove(session: LiveSession): void {
    this.logout(session);
    this.#sessions.delete(session);
  }

  login(session: LiveSession, login: Login): void {
    assert(session.data.login === null, 'a session logs out before it logs in again');
    session.data.login = login;
    assert(isLoggedIn(session), 'logged in');
    const sessions = this.#byUid.get(login.uid);
    if (sessions) sessions.add(session);
    else this.#byUid.set(login.uid, new Set([session]));
    this.#loggedIn += 1;
  }

  /** Answers the login that has ended, or null. */
  logout(session: LiveSession): Login | null {
    if (!isLoggedIn(session)) return null;
    const { login } = session.data;
    const { uid } = login;
    const sessions = this.#byUid.get(uid);
    sessions?.delete(session);
    this.#loggedIn -= 1;
    (session as LiveSession).data.login = null;
    if (sessions?.size === 0) this.#byUid.delete(uid);
    return login;
  }

  all(): IterableIterator<LiveSession> {
    return this.#sessions.values();
  }

  /** A user's sessions, the oldest login first. */
  ofUser(uid: number): ReadonlySet<LoggedInSession> {
    return this.#byUid.get(uid) ?? NO_SESSIONS;
  }

  /**
   * A page of logged-in users' ids, rising, above `after`. The first page (after 0) takes a snapshot which the later ones
   * share: who logs in meanwhile has his pending messages replayed anyway.
   */
  uids(after: number, limit: number): { uids: number[]; next: number | null } {
    if (after === 0 || this.#uidPages.length === 0)
      this.#uidPages = [...this.#byUid.keys()].sort((a, b) => a - b);
    const from = firstAbove(this.#uidPages, after);
    const page = this.#uidPages.slice(from, from + limit);
    const last = page.at(-1);
    const done = from + page.length >= this.#uidPages.length || last === undefined;
    if (done) this.#uidPages = [];
    return { uids: page, next: done ? null : last };
  }
}

const NO_SESSIONS: ReadonlySet<LoggedInSession> = new Set();

/** Index of the first number above `value` in a rising list. */
function firstAbove(rising: readonly number[], value: number): number {
  let low = 0;
  let high = rising.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rising[middle] ?? 0) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
