/**
 * Replay: everything a session has still to get, read from the store page by page at the reader's own pace. Runs after a
 * login, after a slow reader has caught its breath, and after the bus has lost something.
 *
 * The session is registered before the first page is read, and live messages are held until the last page is written:
 * so nothing falls between the two, and older messages come before newer ones.
 */

import type { Log } from '../../platform/log/log.js';
import type { MessageStore } from '../../platform/store/message-store.js';
import { errorText } from '../../shared/base/errors.js';
import type { MessageItem } from '../../shared/domain/message.js';
import { firstIdOf, type MessageId, messageIdTime } from '../../shared/domain/message-id.js';
import type { TravellingReplay } from '../../shared/protocol/handoff.js';
import { PUSH_ITEMS_MAX } from '../../shared/protocol/ws-frames.js';
import {
  isLoggedIn,
  isOf,
  type LiveSession,
  type LoggedInSession,
  newReplayState,
  type ReplayState,
} from '../sessions/live-session.js';
import type { Delivery } from './delivery.js';

/** After a read that the store refused. */
const RETRY_MS = 5000;
/** Ids are made before their commit; no commit takes longer than this without failing. */
const COMMIT_MS_MAX = 5000;

export interface ReplayDeps {
  readonly store: Pick<MessageStore, 'pending' | 'list'>;
  readonly delivery: () => Pick<Delivery, 'replayItems' | 'liveItems'>;
  readonly log: Log;
}

export class Replays {
  readonly #deps: ReplayDeps;
  readonly #retries = new Map<LoggedInSession, NodeJS.Timeout>();

  constructor(deps: ReplayDeps) {
    this.#deps = deps;
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

  /** Stops what is under way for a session that goes to another Worker; answers where it goes on there, or null. */
  takeOut(session: LiveSession): TravellingReplay | null {
    const { replay, missed } = session;
    const retry = isLoggedIn(session) && this.#forgetRetry(session);
    session.replay = null;
    session.missed = null;
    if (!replay) return retry ? { after: null, held: [], more: missed !== null } : null;
    const back = replay.overflowed ? justBefore(replay.after) : replay.after;
    const after = replay.again || retry ? null : back;
    return { after, held: replay.held, more: replay.more || missed !== null };
  }

  /** Goes on where another Worker was; live messages wait from this call on. */
  goOn(session: LoggedInSession, { after, held, more }: TravellingReplay): () => void {
    session.replay = { ...newReplayState(), held: [...held], more };
    return () => this.start(session, after);
  }

  /** No replay waits for its retry after this. */
  stop(): void {
    for (const timer of this.#retries.values()) clearTimeout(timer);
    this.#retries.clear();
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
      this.#deps.log.warn('delivery.replay-failed', {
        session: session.data.id,
        uid,
        error: errorText(error),
      });
      this.#retryLater(session, uid);
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
        session.missed = null;
        state.more = true;
      }
      const { after } = state;
      const page = await store.pending(uid, { limit: PUSH_ITEMS_MAX, ...(after ? { after } : {}) });
      if (!isCurrent(run)) return;
      const inPage = new Set(page.map(({ id }) => id));
      state.held = state.held.filter(({ id }) => !inPage.has(id));
      const written = delivery().replayItems(session, page, state.more);
      // Left out after all: the same page once more, when there is room.
      if (session.missed !== null) continue;
      if (written > 0) state.more = false;
      state.after = page.at(-1)?.id ?? after;
      if (page.length < PUSH_ITEMS_MAX) break;
    }
    if (state.more) await this.#tellMore(run);
  }

  /** The slow reader's other devices settled what it missed: it gets the newest message once more, with `more`. */
  async #tellMore(run: Run): Promise<void> {
    const { session, state, uid } = run;
    const { items } = await this.#deps.store.list(uid, { limit: 1 });
    const [newest] = items;
    if (!newest || !isCurrent(run)) return;
    state.more = false;
    const { read: _read, ...item } = newest;
    session.data.seen.delete(item.id);
    this.#deps.delivery().replayItems(session, [item], true);
  }

  /** What came in while older messages were written goes out now, oldest first. */
  #release(session: LoggedInSession, held: MessageItem[]): void {
    held.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
    for (let at = 0; at < held.length; at += PUSH_ITEMS_MAX) {
      this.#deps.delivery().liveItems(session, held.slice(at, at + PUSH_ITEMS_MAX));
    }
  }

  #retryLater(session: LoggedInSession, uid: number): void {
    this.#forgetRetry(session);
    const timer = setTimeout(() => {
      this.#retries.delete(session);
      if (isOf(session, uid)) this.start(session, null);
    }, RETRY_MS);
    this.#retries.set(session, timer);
  }

  #forgetRetry(session: LoggedInSession): boolean {
    clearTimeout(this.#retries.get(session));
    return this.#retries.delete(session);
  }
}

/** One replay, bound to the login it began with by its state: another login has another one. */
interface Run {
  readonly session: LoggedInSession;
  readonly state: ReplayState;
  readonly uid: number;
}

function isCurrent({ session, state, uid }: Run): boolean {
  return session.replay === state && isOf(session, uid);
}

/** A little before a message: what other processes stored at the same time may have a lower id and a later commit. */
function justBefore(id: MessageId | null): MessageId | null {
  return id === null ? null : firstIdOf(messageIdTime(id) - COMMIT_MS_MAX);
}
