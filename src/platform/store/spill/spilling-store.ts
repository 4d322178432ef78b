/**
 * The store of several nodes with a spill: while its server is away, what is accepted goes to a file of this node, and moves
 * over when the server is back (mover.ts).
 *
 * Promises: those of the store, but that `accept` goes on without the server. A message has one id wherever it is: what an
 * accept tried and may have kept is spilled under the very ids it tried. While one call in the background finds the server
 * away, no other call waits for it. Acknowledgements of a message go to where the message is; reading goes to the server
 * alone, and fails as without a spill.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Clock, type Moment, msSince } from '../../../shared/base/clock.js';
import { errorText } from '../../../shared/base/errors.js';
import type { Kind } from '../../../shared/domain/kind.js';
import type {
  MessageFacts,
  MessageItem,
  MessageStatus,
  NewMessage,
  ReadMark,
  UnreadCounts,
  UserBacklog,
} from '../../../shared/domain/message.js';
import type { MessageId } from '../../../shared/domain/message-id.js';
import type { Log } from '../../log/log.js';
import type {
  Accepted,
  ListedItem,
  ListQuery,
  MessageStore,
  PendingQuery,
  SentMark,
} from '../message-store.js';
import { Mover } from './mover.js';
import type { SpillFile } from './spill-file.js';
import type { AcceptAttempt, SpillTarget } from './spill-target.js';

/** How often a server that is away is asked whether it is back. */
export const AWAY_PROBE_MS = 500;
/** How often the file is looked into for what other processes of the node, or an earlier run, have left there. */
export const LOOK_MS = 1_000;
/** A server that fails again so soon after it was back is asked half as often each time, down to the second number. */
const FLAP_MS = 10_000;
const AWAY_PROBE_MAX_MS = 10_000;

/** What the assembling process does with what happens here. */
export interface SpillHooks {
  /** Messages that could not be stored when they were accepted, and are now; nobody was sent them yet. */
  readonly onLive: (items: readonly MessageItem[]) => void;
  readonly onSpilled: (messages: number) => void;
  readonly onWaiting: (messages: number) => void;
}

export interface SpillingStoreOptions {
  readonly target: SpillTarget;
  readonly spill: SpillFile;
  /** False: what is in the file is moved, nothing is added. */
  readonly accepting: boolean;
  /** Null: this process does not move. */
  readonly hooks: SpillHooks | null;
  readonly clock: Pick<Clock, 'moment'>;
  readonly log: Log;
  readonly lookMs?: number;
  readonly probeMs?: number;
}

export class SpillingStore implements MessageStore {
  readonly #options: SpillingStoreOptions;
  readonly #mover: Mover | null;
  #away = false;
  /** When it was last found back; null: it was never away. */
  #backAt: Moment | null = null;
  #probeMs: number;
  #waiting = 0;
  #spilled = 0;
  #closed = false;
  /** Questions to the file on which calls of the store wait; none rejects. */
  readonly #lookups = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> | null = null;

  constructor(options: SpillingStoreOptions) {
    const { target, spill, hooks, clock, log } = options;
    this.#options = options;
    this.#probeMs = options.probeMs ?? AWAY_PROBE_MS;
    this.#mover = hooks && new Mover({ target, spill, clock, log, onLive: hooks.onLive });
    this.#lookIn(0);
  }

  async accept(messages: readonly NewMessage[]): Promise<Accepted[]> {
    // With nothing in the file the store is called in this turn.
    if (this.#waiting === 0 || this.#away) return this.#acceptNew(messages);
    const doubles = await this.#lookingUp(this.#doubles(messages));
    if (doubles === null) return this.#acceptNew(messages);
    const rest = await this.#acceptNew(messages.filter((_, index) => !doubles[index]));
    let taken = 0;
    return doubles.flatMap((double) => {
      if (double) return double;
      taken += 1;
      return rest[taken - 1] ?? [];
    });
  }

  async #acceptNew(messages: readonly NewMessage[]): Promise<Accepted[]> {
    const { target, accepting } = this.#options;
    if (messages.length === 0) return [];
    if (this.#away && accepting) return this.#spill(messages, null);
    const attempt: AcceptAttempt = { ids: null };
    try {
      return await target.accept(messages, attempt);
    } catch (error) {
      if (!accepting || this.#closed || !target.isAway(error)) throw error;
      this.#leave(error);
      return this.#spill(messages, attempt.ids);
    }
  }

  async #spill(messages: readonly NewMessage[], tried: BigInt64Array | null): Promise<Accepted[]> {
    const { target, spill, hooks } = this.#options;
    const accepted = await spill.accept(messages, tried ?? target.newIds(messages.length));
    const added = accepted.filter(({ duplicate }) => !duplicate).length;
    this.#spilled += added;
    this.#waiting += added;
    hooks?.onSpilled(added);
    return accepted;
  }

  /** Which of them wait in the file; null when none does. The server's keys cannot know of them yet. */
  async #doubles(messages: readonly NewMessage[]): Promise<(Accepted | null)[] | null> {
    // A file that cannot be read (the log says so) does not stop what the server can keep; the move finds the double.
    const found = await this.#options.spill.doubles(messages).catch(() => null);
    return found?.some((double) => double !== null) ? found : null;
  }

  pending(uid: number, query: PendingQuery): Promise<MessageItem[]> {
    return this.#inOrder(() => this.#options.target.pending(uid, query));
  }

  pendingForMany(uids: readonly number[], query: PendingQuery): Promise<Map<number, MessageItem[]>> {
    return this.#inOrder(() => this.#options.target.pendingForMany(uids, query));
  }

  async markSent(marks: readonly SentMark[], at: number): Promise<void> {
    const { target, spill } = this.#options;
    await this.#whereTheyAre([...new Set(marks.map(({ id }) => id))], {
      async spilled(ids) {
        const here = new Set(ids);
        await spill.markSent(
          marks.filter(({ id }) => here.has(id)),
          at,
        );
        return 0;
      },
      async stored(ids) {
        const there = new Set(ids);
        await target.markSent(
          marks.filter(({ id }) => there.has(id)),
          at,
        );
        return 0;
      },
    });
  }

  ack(uid: number, ids: readonly MessageId[], at: number): Promise<number> {
    const { target, spill } = this.#options;
    return this.#whereTheyAre(ids, {
      spilled: (here) => spill.ack(uid, here, at),
      stored: (there) => target.ack(uid, there, at),
    });
  }

  async read(uid: number, mark: ReadMark, at: number): Promise<number> {
    const { target, spill } = this.#options;
    if ('ids' in mark)
      return this.#whereTheyAre(mark.ids, {
        spilled: (ids) => spill.read(uid, { ids }, at),
        stored: (ids) => target.read(uid, { ids }, at),
      });
    const spilled = this.#waiting === 0 ? 0 : await spill.read(uid, mark, at);
    return spilled + (await target.read(uid, mark, at));
  }

  list(uid: number, query: ListQuery): Promise<{ items: ListedItem[]; next: MessageId | null }> {
    return this.#inOrder(() => this.#options.target.list(uid, query));
  }

  unread(uid: number): Promise<UnreadCounts> {
    return this.#inOrder(() => this.#options.target.unread(uid));
  }

  async status(id: MessageId): Promise<MessageStatus | null> {
    const { target, spill } = this.#options;
    // The same for a file that cannot be read.
    const spilled = await spill.status(id).catch(() => null);
    return spilled ?? this.#inOrder(() => target.status(id));
  }

  async inspect(id: MessageId): Promise<MessageFacts | null> {
    const { target, spill } = this.#options;
    // The same for a file that cannot be read.
    const spilled = await spill.inspect(id).catch(() => null);
    return spilled ?? this.#inOrder(() => target.inspect(id));
  }

  /** Of the server alone: what waits here is asked of `spilled`. */
  backlog(uid: number): Promise<UserBacklog> {
    return this.#inOrder(() => this.#options.target.backlog(uid));
  }

  get spilled(): SpillFile {
    return this.#options.spill;
  }

  /** The server's first: a cron message that the file lets out must find the release there. */
  async release(kind: Kind, at: number): Promise<void> {
    const { target, spill } = this.#options;
    await target.release(kind, at);
    await spill.release(kind, at);
  }

  /** What expired in the file goes whether the server is there or not. */
  async prune(expiredBefore: number, limit: number): Promise<number> {
    const { target, spill } = this.#options;
    const pruned = await Promise.allSettled([
      spill.prune(expiredBefore, limit),
      target.prune(expiredBefore, limit),
    ]);
    let sum = 0;
    for (const each of pruned) {
      if (each.status === 'rejected') throw each.reason;
      sum += each.value;
    }
    return sum;
  }

  async pendingCount(): Promise<number> {
    const { target, spill } = this.#options;
    const [stored, spilled] = await Promise.all([
      this.#inOrder(() => target.pendingCount()),
      spill.pendingCount(),
    ]);
    return stored + spilled;
  }

  /** Of the server: a node that spills is not ready, though it accepts. */
  probe(): Promise<void> {
    return this.#options.target.probe();
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#mover?.stop();
    await this.#looking;
    await Promise.all(this.#lookups);
    await this.#options.target.close();
    await this.#options.spill.close();
  }

  /**
   * Tells the file about those that are in it, and the store about all others. A mark that was told while its message was
   * being moved is in the file, where the move finds it, or the message is gone from there, and then the store is told too.
   */
  async #whereTheyAre(
    ids: readonly MessageId[],
    tell: {
      readonly spilled: (ids: readonly MessageId[]) => Promise<number>;
      readonly stored: (ids: readonly MessageId[]) => Promise<number>;
    },
  ): Promise<number> {
    const { spill } = this.#options;
    // A file that cannot be read (the log says so) must not keep the server from hearing of its messages.
    const asked = spill.present(ids).catch((): MessageId[] => []);
    const here = ids.length === 0 ? [] : await this.#lookingUp(asked);
    if (here.length === 0) return tell.stored(ids);
    const changed = await tell.spilled(here);
    const still = new Set(await spill.present(here));
    const there = ids.filter((id) => !still.has(id));
    return there.length === 0 ? changed : changed + (await tell.stored(there));
  }

  /** What is read after this call is read after what this call goes on to tell the store. */
  #lookingUp<T>(asked: Promise<T>): Promise<T> {
    const turn = asked.then(() => nextTurn());
    this.#lookups.add(turn);
    void turn.finally(() => this.#lookups.delete(turn));
    return asked;
  }

  /** Reads of the store see what this process told it before, as in the contract. */
  async #inOrder<T>(read: () => Promise<T>): Promise<T> {
    if (this.#lookups.size > 0) await Promise.all(this.#lookups);
    return read();
  }

  #leave(reason: unknown): void {
    if (this.#away) return;
    this.#away = true;
    const { probeMs = AWAY_PROBE_MS, clock, log } = this.#options;
    const flaps = this.#backAt !== null && msSince(clock, this.#backAt) < FLAP_MS;
    this.#probeMs = flaps ? Math.min(2 * this.#probeMs, AWAY_PROBE_MAX_MS) : probeMs;
    log.error('spill.started', { reason: errorText(reason) });
    if (this.#looking === null) this.#lookIn(this.#probeMs);
  }

  #lookIn(ms: number): void {
    if (this.#closed) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#looking = this.#look().finally(() => {
        this.#looking = null;
        this.#lookIn(this.#away ? this.#probeMs : (this.#options.lookMs ?? LOOK_MS));
      });
    }, ms);
    this.#timer.unref();
  }

  /** Whether the server is back, and whether there is something to move. Never rejects. */
  async #look(): Promise<void> {
    const { log, target, clock } = this.#options;
    if (this.#away && (await this.#isBack())) {
      this.#away = false;
      this.#backAt = clock.moment();
      log.info('spill.ended', { spilled: this.#spilled });
      this.#spilled = 0;
    }
    try {
      await this.#count();
      if (this.#away || this.#waiting === 0 || this.#mover === null) return;
      await this.#mover.run();
      await this.#count();
    } catch (error) {
      if (this.#closed) return;
      if (target.isAway(error)) this.#leave(error);
      else log.warn('spill.move_failed', { reason: errorText(error) });
    }
  }

  async #count(): Promise<void> {
    const { spill, hooks } = this.#options;
    this.#waiting = await spill.waiting();
    hooks?.onWaiting(this.#waiting);
  }

  async #isBack(): Promise<boolean> {
    try {
      await this.#options.target.probe();
      return true;
    } catch {
      return false; // asked again soon; why it is away was logged when it went
    }
  }
}
