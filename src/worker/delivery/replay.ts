/**
 * Replay: everything a session has still to get, read from the store page by page at the reader's own pace. Runs after a
 * login, after a slow reader has caught its breath, and after the bus has lost something: then what other devices of the
 * user have settled meanwhile is read too, as this one may not have got its copy.
 *
 * The session is registered before the first page is read, and live messages are held until the last page is written:
 * so nothing falls between the two, and older messages come before newer ones.
 */

import type { Log } from '../../platform/log/log.js';
import { seldomLog } from '../../platform/log/seldom-log.js';
import type { Clock } from '../../shared/base/clock.js';
import { errorText } from '../../shared/base/errors.js';
import type { MessageItem } from '../../shared/domain/message.js';
import { firstIdOf, idBefore, type MessageId, messageIdTime } from '../../shared/domain/message-id.js';
import type { Login } from '../../shared/domain/session.js';
import type { TravellingReplay } from '../../shared/protocol/handoff.js';
import { PUSH_ITEMS_MAX } from '../../shared/protocol/ws-frames.js';
import type { PageFor, ReaderStore } from '../readers/reader-store.js';
import {
  isLoggedIn,
  isOf,
  type LiveSession,
  type LoggedInSession,
  newReplayState,
  type ReplayState,
} from '../sessions/live-session.js';
import { SEEN_MS } from '../sessions/session.js';
import type { Delivery } from './delivery.js';
import type { Gap } from './gap.js';

/** After a read that the store refused. */
const RETRY_MS = 5000;
/** Ids are made before their commit; no commit takes longer than this without failing. */
const COMMIT_MS_MAX = 5000;
/** So far back it is certain what a session has been sent; what is older would come twice. */
const LOOK_BACK_MS = SEEN_MS - 10_000;

export interface ReplayDeps {
  readonly store: Pick<ReaderStore, 'pending' | 'list'>;
  readonly clock: Pick<Clock, 'now' | 'moment'>;
  readonly delivery: () => Pick<Delivery, 'replayItems' | 'liveItems'>;
  readonly log: Log;
}

export class Replays {
  readonly #deps: ReplayDeps;
  /** When the store is away, the replays of all who are logged in fail, again and again. */
  readonly #log: Pick<Log, 'warn'>;
  readonly #retries = new Map<LoggedInSession, Retry>();

  constructor(deps: ReplayDeps) {
    this.#deps = deps;
    this.#log = seldomLog(deps.log, deps.clock);
  }

  /**
   * Starts a replay of what is above `after` (null: of everything). When one is running, that one goes back as far as
   * needed before it ends.
   */
  start(session: LoggedInSession, after: MessageId | null): void {
    session.replay ??= newReplayState();
    const state = session.replay;
    if (state.running) {
      // What was left out while it runs is above the page it is at: it reads that page again by itself.
      if (after === null) state.again = true;
      return;
    }
    state.running = true;
    state.after = after;
    void this.#run({ session, state, uid: session.data.login.uid });
  }

  /** From the beginning, and with what other devices settled since the gap began. */
  startAfter(gap: Gap, session: LoggedInSession): void {
    session.replay ??= newReplayState();
    Object.assign(session.replay, this.#afterGap(gap, session.data.login, session.replay));
    this.start(session, null);
  }

  /**
   * Stops what is under way for a session that goes to another Worker; answers where it goes on there, or null. `gap`: a
   * replay after it has still to begin.
   */
  takeOut(session: LiveSession, gap: Gap | null): TravellingReplay | null {
    const { replay, missed } = session;
    const retry = isLoggedIn(session) ? this.#forgetRetry(session) : null;
    session.replay = null;
    session.missed = null;
    if (!replay && !retry && !gap) return null;
    const { held, ...state } = replay ?? newReplayState();
    const back = state.overflowed ? justBefore(state.after) : state.after;
    const owed = olderOf(state, retry);
    const travelling = {
      after: state.again || retry ? null : back,
      held,
      missedAbove: older(owed.missedAbove, missed && idBefore(missed)),
      settledSince: owed.settledSince,
    };
    if (!gap || !isLoggedIn(session)) return travelling;
    return { ...travelling, ...this.#afterGap(gap, session.data.login, travelling), after: null };
  }

  /** Goes on where another Worker was, or after a gap; live messages wait from this call on. */
  goOn(session: LoggedInSession, travelling: TravellingReplay | null, gap: Gap | null): () => void {
    const { after, held, missedAbove, settledSince } = travelling ?? newReplayState();
    session.replay = { ...newReplayState(), held: [...held], missedAbove, settledSince };
    return () => {
      if (gap) this.startAfter(gap, session);
      else this.start(session, after);
    };
  }

  /** No replay waits for its retry after this. */
  stop(): void {
    for (const { timer } of this.#retries.values()) clearTimeout(timer);
    this.#retries.clear();
  }

  /** How far back to look; a gap that began before that is told to the reader, who can look himself. */
  #afterGap({ since }: Gap, login: Login, state: Owed): Owed {
    const now = this.#deps.clock.now();
    const beganAt = since - COMMIT_MS_MAX;
    // A login that is ahead of the clock was made before that was set back.
    const from = login.since > now ? beganAt : Math.max(beganAt, login.since);
    const farthest = now - LOOK_BACK_MS;
    return {
      settledSince: older(state.settledSince, firstIdOf(Math.max(from, farthest))),
      missedAbove: older(state.missedAbove, from < farthest ? firstIdOf(from) : null),
    };
  }

  async #run(run: Run): Promise<void> {
    const { session, state, uid } = run;
    try {
      for (;;) {
        await this.#pages(run);
        if (!isCurrent(run)) return;
        if (state.again) state.after = null;
        else if (state.overflowed) state.after = justBefore(state.after);
        else break;
        state.again = false;
        state.overflowed = false;
      }
      session.replay = null;
      this.#release(session, state.held);
    } catch (error) {
      if (!isCurrent(run)) return;
      session.replay = null;
      this.#log.warn('delivery.replay-failed', {
        session: session.data.id,
        uid,
        error: errorText(error),
      });
      this.#retryLater(run);
    }
  }

  /** Writes page after page, at the reader's pace. */
  async #pages(run: Run): Promise<void> {
    const { session, state, uid } = run;
    const { store, delivery } = this.#deps;
    for (;;) {
      await session.connection.drained();
      if (!isCurrent(run)) return;
      if (session.missed !== null) {
        state.missedAbove = older(state.missedAbove, idBefore(session.missed));
        session.missed = null;
      }
      const { after, settledSince } = state;
      const query = {
        limit: PUSH_ITEMS_MAX,
        ...(after ? { after } : {}),
        ...(settledSince ? { settledSince } : {}),
      };
      const page = await store.pending(uid, query, pageFor(run));
      if (!isCurrent(run)) return;
      const inPage = new Set(page.map(({ id }) => id));
      state.held = state.held.filter(({ id }) => !inPage.has(id));
      const written = delivery().replayItems(session, page, state.missedAbove !== null);
      // Left out after all: the same page once more, when there is room.
      if (session.missed !== null) continue;
      if (written > 0) state.missedAbove = null;
      state.after = page.at(-1)?.id ?? after;
      if (page.length < PUSH_ITEMS_MAX) break;
    }
    if (state.missedAbove !== null) await this.#tellMore(run, state.missedAbove);
  }

  /** The reader's other devices settled what it missed: it gets the newest message once more, with `more`. */
  async #tellMore(run: Run, missedAbove: MessageId): Promise<void> {
    const { session, state, uid } = run;
    const { items } = await this.#deps.store.list(uid, { limit: 1 }, pageFor(run));
    const [newest] = items;
    if (!newest || !isCurrent(run)) return;
    state.missedAbove = null;
    if (newest.id <= missedAbove) return;
    const { read: _read, ...item } = newest;
    session.data.seen.delete(item.id);
    session.data.life.unconfirmed.delete(item.id);
    this.#deps.delivery().replayItems(session, [item], true);
  }

  /** What came in while older messages were written goes out now, oldest first. */
  #release(session: LoggedInSession, held: MessageItem[]): void {
    held.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
    for (let at = 0; at < held.length; at += PUSH_ITEMS_MAX) {
      this.#deps.delivery().liveItems(session, held.slice(at, at + PUSH_ITEMS_MAX));
    }
  }

  #retryLater({ session, uid, state }: Run): void {
    const owed = olderOf(state, this.#forgetRetry(session));
    const timer = setTimeout(() => {
      this.#retries.delete(session);
      if (!isOf(session, uid)) return;
      session.replay ??= newReplayState();
      Object.assign(session.replay, olderOf(session.replay, owed));
      this.start(session, null);
    }, RETRY_MS);
    this.#retries.set(session, { timer, ...owed });
  }

  #forgetRetry(session: LoggedInSession): Retry | null {
    const retry = this.#retries.get(session);
    if (!retry) return null;
    clearTimeout(retry.timer);
    this.#retries.delete(session);
    return retry;
  }
}

/** What a reader is owed besides what is pending. */
type Owed = Pick<ReplayState, 'settledSince' | 'missedAbove'>;

interface Retry extends Owed {
  readonly timer: NodeJS.Timeout;
}

/** One replay, bound to the login it began with by its state: another login has another one. */
interface Run {
  readonly session: LoggedInSession;
  readonly state: ReplayState;
  readonly uid: number;
}

function pageFor(run: Run): PageFor {
  const { connection } = run.session;
  return { wanted: () => isCurrent(run), ready: () => !connection.open || connection.flowing };
}

function isCurrent({ session, state, uid }: Run): boolean {
  return session.replay === state && isOf(session, uid);
}

function olderOf(one: Owed, other: Owed | null): Owed {
  return {
    settledSince: older(one.settledSince, other?.settledSince ?? null),
    missedAbove: older(one.missedAbove, other?.missedAbove ?? null),
  };
}

function older(one: MessageId | null, other: MessageId | null): MessageId | null {
  if (one === null || other === null) return one ?? other;
  return one < other ? one : other;
}

/** A little before a message: what other processes stored at the same time may have a lower id and a later commit. */
function justBefore(id: MessageId | null): MessageId | null {
  return id === null ? null : firstIdOf(messageIdTime(id) - COMMIT_MS_MAX);
}
