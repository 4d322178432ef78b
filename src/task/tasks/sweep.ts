/**
 * `sweep`: the job of a kind runs. Its cron messages are released, and whatever of it is still pending for users who are
 * logged in here is pushed to them again, many messages in a frame. It costs what is online, not what is stored; who is
 * offline gets his messages when he logs in.
 */
import * as z from 'zod';
import type { Bus } from '../../platform/bus/bus.js';
import { type Pace, PacedNews } from '../../platform/bus/paced-news.js';
import type { Log } from '../../platform/log/log.js';
import type { MessageStore, PendingQuery } from '../../platform/store/message-store.js';
import type { Clock } from '../../shared/base/clock.js';
import type { BuiltInTask } from '../../shared/domain/built-in-tasks.js';
import { KINDS } from '../../shared/domain/kind.js';
import type { MessageItem } from '../../shared/domain/message.js';
import { PUSH_ITEMS_MAX } from '../../shared/protocol/ws-frames.js';
import { defineTask, type Task } from '../task-runner.js';
import { type AskForUids, onlineUsers } from './online-users.js';

/** Users of each Worker asked for at once. */
const USERS_PER_PAGE = 1000;
/** Users read from the store at once, at most `PUSH_ITEMS_MAX` messages each: what is in memory at a time. */
const USERS_PER_READ = 100;
/** A sweep is never faster than the bus; one that takes nothing for ten seconds fails the sweep, and the next one goes on. */
const PACE: Pace = {
  events: Number.POSITIVE_INFINITY,
  chars: 512 * 1024,
  waitMs: 10_000,
  mustBeTaken: true,
};
/** A user with more gets the rest with the next run. */
export const MESSAGES_PER_USER_MAX = 500;

export interface SweepDeps {
  readonly store: Pick<MessageStore, 'release' | 'pendingForMany' | 'pending'>;
  readonly askForUids: AskForUids;
  readonly bus: Pick<Bus, 'publish' | 'probe'>;
  readonly clock: Clock;
  readonly resendMs: () => number;
  readonly log: Log;
}

export interface SweepResult {
  /** Users who were pushed something. */
  readonly users: number;
  readonly messages: number;
  /** Users who were logged in. */
  readonly online: number;
}

export function sweepTask(deps: SweepDeps): Task {
  return defineTask(
    'sweep' satisfies BuiltInTask,
    z.object({ kind: z.enum(KINDS) }),
    async ({ kind }, { signal }) => {
      const { store, clock, log } = deps;
      await store.release(kind, clock.now());
      const query = { kind, notSentSince: clock.now() - deps.resendMs(), limit: PUSH_ITEMS_MAX };
      const result = { users: 0, messages: 0, online: 0 };
      const news = new PacedNews(deps.bus, clock, PACE);
      for await (const { uids, silent } of onlineUsers(deps.askForUids, USERS_PER_PAGE)) {
        if (silent.length > 0) log.warn('sweep.silentWorkers', { kind, workers: silent.join(', ') });
        result.online += uids.length;
        for (let from = 0; from < uids.length; from += USERS_PER_READ) {
          signal.throwIfAborted();
          const pending = await store.pendingForMany(uids.slice(from, from + USERS_PER_READ), query);
          for (const [uid, items] of pending) {
            const pushed = await pushAll(store, { uid, items, query, signal }, news);
            result.users += pushed > 0 ? 1 : 0;
            result.messages += pushed;
          }
          await news.taken();
        }
      }
      log.info('sweep.done', { kind, ...result });
      return result satisfies SweepResult;
    },
  );
}

interface UserSweep {
  readonly uid: number;
  readonly items: readonly MessageItem[];
  readonly query: PendingQuery;
  readonly signal: AbortSignal;
}

/** Frame by frame; returns how many messages were published. */
async function pushAll(
  store: SweepDeps['store'],
  { uid, items, query, signal }: UserSweep,
  news: PacedNews,
): Promise<number> {
  let page = items;
  let pushed = 0;
  while (page.length > 0) {
    news.publish({ t: 'push', uid, items: [...page], again: true });
    pushed += page.length;
    if (news.isFull) await news.taken();
    const last = page.at(-1);
    if (!last || page.length < PUSH_ITEMS_MAX || pushed >= MESSAGES_PER_USER_MAX) break;
    signal.throwIfAborted();
    page = await store.pending(uid, { ...query, after: last.id });
  }
  return pushed;
}
