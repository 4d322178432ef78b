/**
 * The embedded message store: one SQLite file, shared by all processes of a node, written through libsql.
 *
 * libsql is synchronous, so it lives in a thread; this file turns the contract's calls into plain values for it
 * and its answers into the domain's types. Everything that can wait or fail is in thread-link.ts and thread/.
 */
import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../../shared/base/clock.js';
import { errorText, SpushError } from '../../../shared/base/errors.js';
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
import { isMessageId, type MessageId, type MessageIdSource } from '../../../shared/domain/message-id.js';
import type { Log } from '../../log/log.js';
import { seldomLog } from '../../log/seldom-log.js';
import { type AcceptAnswer, decodeAccepted, encodeAccept } from '../accept-runs.js';
import { assertLimit, assertTime, assertUser, kindNumbers, pendingArgs } from '../call-arguments.js';
import { weightOf, weightOfRows } from '../call-weight.js';
import { fullPages, type PendingRows } from '../full-pages.js';
import { KIND_NUMBER } from '../kind-number.js';
import { backlogOf, factsOf } from '../message-facts.js';
import type {
  Accepted,
  ListedItem,
  ListQuery,
  MessageStore,
  PendingQuery,
  SentMark,
} from '../message-store.js';
import { decodeItems } from './item-rows.js';
import type { AnswerOf, ArgsOf, CallName, MarkSentArgs } from './store-calls.js';
import { startThread } from './thread-entry.js';
import { type StoreWorker, ThreadLink } from './thread-link.js';

/** Longer than the largest batch of another process takes on a busy machine (7 s); a lock held longer than this is a fault. */
export const LOCK_WAIT_MS = 10_000;

const ID_MAX = (2n ** 63n - 1n).toString() as MessageId;

export interface LibsqlStoreOptions {
  readonly file: string;
  readonly ids: MessageIdSource;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether a file that is not there is made (default), or refused. */
  readonly create?: boolean;
  readonly lockWaitMs?: number;
  /** So many calls were answered together. */
  readonly onGroup?: (calls: number) => void;
  /** For tests that end the thread. */
  readonly startThread?: (data: Parameters<typeof startThread>[0]) => StoreWorker;
}

/** Makes the folder and the file when missing; resolves when the store keeps messages. */
export async function openLibsqlStore(options: LibsqlStoreOptions): Promise<MessageStore> {
  return new LibsqlStore(await openLink(options), options);
}

export async function openLink(options: LibsqlStoreOptions): Promise<ThreadLink> {
  const { ids, log, create = true, lockWaitMs = LOCK_WAIT_MS } = options;
  const file = resolve(options.file);
  if (create) await makeFolder(file);
  const start = options.startThread ?? startThread;
  const link = new ThreadLink({
    file,
    log,
    start: (mayCreate) => start({ file, create: mayCreate, lockWaitMs }),
    onOpened: (highest) => ids.raiseTo(highest),
    ...(options.onGroup ? { onGroup: options.onGroup } : {}),
  });
  await link.open({ create });
  return link;
}

export class LibsqlStore implements MessageStore {
  readonly spilled = null;
  readonly #link: ThreadLink;
  readonly #ids: MessageIdSource;
  readonly #clock: Clock;
  readonly #log: Pick<Log, 'warn'>;

  constructor(link: ThreadLink, { ids, clock, log }: Pick<LibsqlStoreOptions, 'ids' | 'clock' | 'log'>) {
    this.#link = link;
    this.#ids = ids;
    this.#clock = clock;
    this.#log = seldomLog(log, clock);
  }

  async accept(messages: readonly NewMessage[]): Promise<Accepted[]> {
    return this.acceptAs(messages, this.#ids);
  }

  /** With ids of another source. */
  async acceptAs(messages: readonly NewMessage[], ids: MessageIdSource): Promise<Accepted[]> {
    const steps = encodeAccept(messages, ids, this.#clock.now());
    return decodeAll(await this.#link.call('accept', { steps }, weightOf(messages)));
  }

  async pending(uid: number, query: PendingQuery): Promise<MessageItem[]> {
    const found = await this.pendingForMany([uid], query);
    return found.get(uid) ?? [];
  }

  pendingForMany(uids: readonly number[], query: PendingQuery): Promise<Map<number, MessageItem[]>> {
    return fullPages(uids, query, async (some, page) => {
      const { users, items } = await this.#call('pending', pendingArgs(some, page, this.#clock.now()));
      const all = decodeItems(items, this.#log);
      const found = new Map<number, PendingRows>();
      let from = 0;
      for (const { uid, count } of users) {
        const last = count < page.limit ? null : (items.rows[from + count - 1]?.[0] ?? null);
        found.set(uid, { items: all.slice(from, from + count).filter(isReadable), last });
        from += count;
      }
      return found;
    });
  }

  async markSent(marks: readonly SentMark[], at: number): Promise<void> {
    if (marks.length === 0) return;
    await this.#call('markSent', { marks: groupMarks(marks), at: assertTime(at) }, marks.length);
  }

  async ack(uid: number, ids: readonly MessageId[], at: number): Promise<number> {
    assertUser(uid);
    return this.#call('ack', { uid, ids: idList(ids), at: assertTime(at) }, ids.length);
  }

  async read(uid: number, mark: ReadMark, at: number): Promise<number> {
    assertUser(uid);
    const ids = 'ids' in mark ? mark.ids : null;
    const args: ArgsOf<'read'> = {
      uid,
      ids: ids === null ? null : idList(ids),
      kinds: kindNumbers('kind' in mark ? mark.kind : undefined),
      at: assertTime(at),
      now: this.#clock.now(),
    };
    return this.#call('read', args, ids?.length ?? 1);
  }

  async list(uid: number, query: ListQuery): Promise<{ items: ListedItem[]; next: MessageId | null }> {
    assertUser(uid);
    const { items, read, more } = await this.#call('list', {
      uid,
      kinds: kindNumbers(query.kind),
      unread: query.unread === true,
      cursor: query.cursor ?? ID_MAX,
      limit: assertLimit(query.limit),
      now: this.#clock.now(),
    });
    const listed = decodeItems(items, this.#log)
      .map((item, index) => item && { ...item, read: read[index] === true })
      .filter(isReadable);
    return { items: listed, next: more ? (items.rows.at(-1)?.[0] ?? null) : null };
  }

  async unread(uid: number): Promise<UnreadCounts> {
    assertUser(uid);
    return this.#call('unread', { uid, now: this.#clock.now() });
  }

  async status(id: MessageId): Promise<MessageStatus | null> {
    if (!isMessageId(id)) return null;
    return this.#call('status', { id, now: this.#clock.now() });
  }

  async inspect(id: MessageId): Promise<MessageFacts | null> {
    if (!isMessageId(id)) return null;
    const [status, row] = await Promise.all([this.status(id), this.#call('inspect', { id })]);
    return status && row && factsOf(status, row);
  }

  async backlog(uid: number): Promise<UserBacklog> {
    assertUser(uid);
    const { known, rows } = await this.#call('backlog', { uid, now: this.#clock.now() });
    return { known, ...backlogOf(rows) };
  }

  async release(kind: Kind, at: number): Promise<void> {
    await this.#call('release', { kind: KIND_NUMBER[kind], at: assertTime(at) });
  }

  async prune(expiredBefore: number, limit: number): Promise<number> {
    return this.#call(
      'prune',
      { expiredBefore: assertTime(expiredBefore), limit: assertLimit(limit) },
      limit,
    );
  }

  async pendingCount(): Promise<number> {
    return this.#call('pendingCount', null);
  }

  async probe(): Promise<void> {
    await this.#call('probe', { at: this.#clock.now() });
  }

  async close(): Promise<void> {
    await this.#link.close();
  }

  #call<N extends CallName>(name: N, args: ArgsOf<N>, rows = 1): Promise<AnswerOf<N>> {
    return this.#link.call(name, { args }, weightOfRows(rows));
  }
}

export async function decodeAll(answer: AcceptAnswer): Promise<Accepted[]> {
  const decoding = decodeAccepted(answer);
  for (;;) {
    const step = decoding.next();
    if (step.done) return step.value;
    await setImmediate();
  }
}

/** One entry for each message: a broadcast is one id with many users. */
function groupMarks(marks: readonly SentMark[]): MarkSentArgs['marks'] {
  const groups = new Map<string, { id: MessageId; settled: boolean; uids: number[] }>();
  for (const { uid, id, settled } of marks) {
    assertUser(uid);
    const key = settled ? `${id}!` : id;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { id, settled, uids: [uid] });
    else group.uids.push(uid);
  }
  return [...groups.values()].map(({ id, settled, uids }) => ({ id, settled, uids: JSON.stringify(uids) }));
}

function isReadable<T>(item: T | null): item is T {
  return item !== null;
}

/** Ids that are none match nothing, and must not spoil the list. */
export function idList(ids: readonly MessageId[]): string {
  return `[${ids.filter(isMessageId).join(',')}]`;
}

async function makeFolder(file: string): Promise<void> {
  try {
    // Texts of messages are in it.
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new SpushError(
      'STORE_UNAVAILABLE',
      `the store ${file} has no folder and it cannot be made (${errorText(error)}). Make it, writable for this user`,
      { cause: error },
    );
  }
}
