/**
 * Moves what was spilled into the store, in the order of the ids, slice by slice: store a slice, then delete it here.
 *
 * Promises: each message is in the store once, whatever is killed when. Killed before the store's commit, nothing happened;
 * killed after it, the next move finds the messages there by their ids and only deletes them here. What changed
 * while it was moved (an acknowledgement) is not deleted and moved again, which only tells the store what changed.
 * One process of the node moves at a time; should two do it, they do the same twice, which is the same as once.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Clock, momentMs } from '../../../shared/base/clock.js';
import { errorText } from '../../../shared/base/errors.js';
import type { MessageItem } from '../../../shared/domain/message.js';
import { ID_ZERO, type MessageId, messageIdFrom } from '../../../shared/domain/message-id.js';
import type { Log } from '../../log/log.js';
import { EVERYBODY, kindOf } from '../kind-number.js';
import { parseBody } from '../message-text.js';
import type { SpillFile } from './spill-file.js';
import type { SpilledMessage, SpillTarget, TakenIn } from './spill-target.js';

/** Messages stored by one transaction: some tens of milliseconds of locks on the server. */
export const SLICE_ROWS = 500;
/** Receipts of a notice stored by one transaction. */
export const SLICE_RECEIPTS = 1_000;
/** Longer than a slice takes with a slow server, and a minute at most; a process that died is replaced after it. */
export const LEASE_MS = 20_000;

export interface MoverDeps {
  readonly target: Pick<SpillTarget, 'takeIn' | 'newIds' | 'isRefusal'>;
  readonly spill: Pick<SpillFile, 'slice' | 'receipts' | 'moved' | 'rename' | 'lease'>;
  readonly clock: Pick<Clock, 'moment'>;
  readonly log: Log;
  /** Messages that the store has now and that were not sent to anybody yet. */
  readonly onLive: (items: readonly MessageItem[]) => void;
  readonly sliceRows?: number;
}

export class Mover {
  readonly #deps: MoverDeps;
  /** Until when this process has the right to move; 0: it has not. */
  #held = 0;
  #stopped = false;
  #stored = 0;
  #known = 0;

  constructor(deps: MoverDeps) {
    this.#deps = deps;
  }

  /** After the slice under way. */
  stop(): void {
    this.#stopped = true;
  }

  /** Moves what there is, unless another process does. Rejects when the store or the file fails; what was moved is moved. */
  async run(): Promise<void> {
    const { spill, log, sliceRows = SLICE_ROWS } = this.#deps;
    this.#stored = 0;
    this.#known = 0;
    try {
      for (let after = ID_ZERO; !this.#stopped && (await this.#mayMove()); ) {
        const slice = await spill.slice(after, sliceRows);
        const last = slice.at(-1);
        if (last === undefined) break;
        await this.#moveSlice(slice);
        after = last.id;
        await nextTurn();
      }
    } finally {
      if (this.#stored + this.#known > 0)
        log.info('spill.moved', { stored: this.#stored, known: this.#known });
      await this.#letGo();
    }
  }

  /** Halves what cannot be stored together, until the one is found that cannot be stored at all; that one stays. */
  async #moveSlice(slice: readonly SpilledMessage[]): Promise<void> {
    const taken = await this.#takeIn(slice);
    if (taken !== null) {
      await this.#finish(slice, taken);
    } else if (slice.length > 1) {
      const half = Math.ceil(slice.length / 2);
      await this.#moveSlice(slice.slice(0, half));
      await this.#moveSlice(slice.slice(half));
    }
  }

  /** Null when the store refuses one of them for its own sake. */
  async #takeIn(slice: readonly SpilledMessage[]): Promise<TakenIn | null> {
    const { target, log } = this.#deps;
    try {
      return await target.takeIn({ messages: slice, receipts: [] });
    } catch (error) {
      if (this.#stopped || !target.isRefusal(error)) throw error;
      const [first] = slice;
      if (slice.length === 1 && first !== undefined)
        log.error('spill.stuck', { id: first.id, reason: errorText(error) });
      return null;
    }
  }

  async #finish(slice: readonly SpilledMessage[], { stored, known, idTaken, live }: TakenIn): Promise<void> {
    const { spill, onLive } = this.#deps;
    this.#stored += stored;
    this.#known += known;
    if (live.length > 0) {
      const ids = new Set(live);
      onLive(slice.filter(({ id }) => ids.has(id)).map(itemOf));
    }
    const taken = new Set(idTaken);
    for (const id of taken) await this.#rename(id);
    const kept = slice.filter(({ id }) => !taken.has(id));
    for (const notice of kept) if (notice.uid === EVERYBODY) await this.#moveReceipts(notice);
    await spill.moved(kept, []);
  }

  async #moveReceipts(notice: SpilledMessage): Promise<void> {
    const { target, spill } = this.#deps;
    for (;;) {
      const receipts = await spill.receipts(notice.id, SLICE_RECEIPTS);
      if (receipts.length === 0) return;
      await target.takeIn({ messages: [notice], receipts });
      await spill.moved([], receipts);
      if (receipts.length < SLICE_RECEIPTS) return;
    }
  }

  /** The new id is on the disk before the store hears of it, so that a move cut off between goes on with the same. */
  async #rename(id: MessageId): Promise<void> {
    const { target, spill, log } = this.#deps;
    const [fresh] = target.newIds(1);
    if (fresh === undefined) return;
    const to = messageIdFrom(fresh);
    log.warn('spill.id_taken', { id, to });
    await spill.rename(id, to);
  }

  async #mayMove(): Promise<boolean> {
    const atMs = this.#atMs();
    const until = atMs + LEASE_MS;
    const got = await this.#deps.spill.lease({ held: this.#held, atMs, until });
    this.#held = got ? until : 0;
    return got;
  }

  /** A file that cannot be written now lets go by itself, a little later. */
  async #letGo(): Promise<void> {
    if (this.#held === 0) return;
    const { spill, log } = this.#deps;
    const atMs = this.#atMs();
    try {
      await spill.lease({ held: this.#held, atMs, until: Math.min(atMs, this.#held) });
    } catch (error) {
      log.warn('spill.lease_kept', { reason: errorText(error) });
    }
    this.#held = 0;
  }

  #atMs(): number {
    return Math.floor(momentMs(this.#deps.clock.moment()));
  }
}

function itemOf({ id, kind, uid, body, createdAt }: SpilledMessage): MessageItem {
  const { title, content, url, data } = parseBody(body);
  return {
    id,
    kind: kindOf(kind),
    ...(uid === EVERYBODY ? {} : { uid }),
    title,
    content,
    ...(url === undefined ? {} : { url }),
    ...(data === undefined ? {} : { data }),
    createdAt,
  };
}
