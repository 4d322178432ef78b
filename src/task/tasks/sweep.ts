/**
 * `sweep`: the job of a kind runs. Its cron messages are released, and whatever of it is still pending for users who are
 * logged in here is pushed to them again, many messages in a frame. It costs what is online, not what is stored; who is
 * offline gets his messages when he logs in.
 */
import * as z from 'zod';
import type { Log } from '../../platform/log/log.js';
import type { MessageStore, PendingQuery } from '../../platform/store/message-store.js';
import type { Clock } from '../../shared/base/clock.js';
import type { BuiltInTask } from '../../shared/domain/built-in-tasks.js';
import { itemsWeight } from '../../shared/domain/item-weight.js';
import { KINDS } from '../../shared/domain/kind.js';
import type { MessageItem } from '../../shared/domain/message.js';
import type { BusEvent } from '../../shared/protocol/bus-events.js';
import { PUSH_ITEMS_MAX } from '../../shared/protocol/ws-frames.js';
import { defineTask, type Task } from '../task-runner.js';
import { type AskForUids, onlineUsers } from './online-users.js';

/** Users of each Worker asked for at once. */
const USERS_PER_PAGE = 1000;
/** Users read from the store at once, at most `PUSH_ITEMS_MAX` messages each: what is in memory at a time. */
const USERS_PER_READ = 100;
/** What is published, about bytes, before it is waited for. */
const UNSENT_CHARS_MAX = 512 * 1024;
/** A user with more gets the rest with the next run. */
export const MESSAGES_PER_USER_MAX = 500;

export interface SweepDeps {
  readonly store: Pick<MessageStore, 'release' | 'pendingForMany' | 'pending'>;
  readonly askForUids: AskForUids;
  readonly publish: (event: BusEvent) => void;
  /** Resolves when what was published is on its way, so that a sweep is never faster than the bus. */
  readonly published: () => Promise<unknown>;
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
      const paced = new Paced(deps.published);
      for await (const { uids, silent } of onlineUsers(deps.askForUids, USERS_PER_PAGE)) {
        if (silent.length > 0) log.warn('sweep.silentWorkers', { kind, workers: silent.join(', ') });
        result.online += uids.length;
        for (let from = 0; from < uids.length; from += USERS_PER_READ) {
          signal.throwIfAborted();
          const pending = await store.pendingForMany(uids.slice(from, from + USERS_PER_READ), query);
          for (const [uid, items] of pending) {
            const pushed = await pushAll(deps, { uid, items, query, signal }, paced);
            result.users += pushed > 0 ? 1 : 0;
            result.messages += pushed;
          }
          await paced.published();
        }
      }
      log.info('sweep.done', { kind, ...result });
      return result satisfies SweepResult;
    },
  );
}

/** Keeps a sweep from being faster than the bus, also when its messages are large. */
class Paced {
  readonly #published: () => Promise<unknown>;
  #unsentChars = 0;

  constructor(published: () => Promise<unknown>) {
    this.#published = published;
  }

  async after(items: readonly MessageItem[]): Promise<void> {
    this.#unsentChars += itemsWeight(items);
    if (this.#unsentChars >= UNSENT_CHARS_MAX) await this.published();
  }

  async published(): Promise<void> {
    this.#unsentChars = 0;
    await this.#published();
  }
}

interface UserSweep {
  readonly uid: number;
  readonly items: readonly MessageItem[];
  readonly query: PendingQuery;
  readonly signal: AbortSignal;
}

/** Frame by frame; answers how many messages were published. */
async function pushAll(
  { store, publish }: SweepDeps,
  { uid, items, query, signal }: UserSweep,
  paced: Paced,
): Promise<number> {
  let page = items;
  let pushed = 0;
  while (page.length > 0) {
    publish({ t: 'push', uid, items: [...page], again: true });
    pushed += page.length;
    await paced.after(page);
    const last = page.at(-1);
    if (!last || page.length < PUSH_ITEMS_MAX || pushed >= MESSAGES_PER_USER_MAX) break;
    signal.throwIfAborted();
    page = await store.pending(uid, { ...query, after: last.id });
  }
  return pushed;
}
