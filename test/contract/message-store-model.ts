/**
 * The contract of the message store in its plainest form: lists walked from end to end, no limits, no faults. What a
 * store answers to any sequence of calls is what this answers; only the ids are the store's own.
 */
import type { Clock } from '../../src/shared/base/clock.js';
import { KINDS, type Kind } from '../../src/shared/domain/kind.js';
import type { MessageState, NewMessage, ReadMark, UnreadCounts } from '../../src/shared/domain/message.js';

interface Receipt {
  settled: boolean;
  sentAt: number | null;
  ackedAt: number | null;
  readAt: number | null;
}

interface Stored {
  readonly message: NewMessage;
  expiresAt: number;
  replaced: boolean;
  readonly releasesNeeded: number;
  /** By user; of a personal message there is its user's only. */
  readonly receipts: Map<number, Receipt>;
}

interface Query {
  readonly after?: number;
  readonly kind?: Kind;
  readonly notSentSince?: number;
  readonly settledSince?: number;
  readonly limit: number;
}

/** Messages are named by their number in the order of acceptance. */
export class StoreModel {
  readonly #clock: Clock;
  readonly #stored: Stored[] = [];
  readonly #releases = new Map<Kind, number>(KINDS.map((kind) => [kind, 0]));

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  accept(message: NewMessage): { number: number; duplicate: boolean; unsent: boolean } {
    const { kind, uid, callerId, collapse } = message;
    const isOfSame = (other: Stored) => other.message.kind === kind && other.message.uid === uid;
    const first = this.#stored.findIndex(
      (other) => isOfSame(other) && callerId !== null && other.message.callerId === callerId,
    );
    if (first >= 0) return { number: first, duplicate: true, unsent: this.#unsent(this.#at(first)) };
    for (const other of this.#stored)
      if (
        isOfSame(other) &&
        collapse !== null &&
        other.message.collapse === collapse &&
        this.#isOpen(other)
      ) {
        other.expiresAt = Math.min(other.expiresAt, this.#clock.now());
        other.replaced = true;
      }
    const releasesNeeded = message.deliver === 'cron' ? (this.#releases.get(kind) ?? 0) + 1 : 0;
    const stored = {
      message,
      expiresAt: message.expiresAt,
      replaced: false,
      releasesNeeded,
      receipts: new Map(),
    };
    return { number: this.#stored.push(stored) - 1, duplicate: false, unsent: true };
  }

  pending(
    uid: number,
    {
      after = -1,
      kind,
      notSentSince = Number.POSITIVE_INFINITY,
      settledSince = Number.POSITIVE_INFINITY,
      limit,
    }: Query,
  ): number[] {
    return this.#numbers(uid, kind)
      .filter((number) => {
        const stored = this.#at(number);
        const receipt = stored.receipts.get(uid);
        if (number <= after || stored.replaced) return false;
        if (receipt?.settled) return receipt.readAt === null && number > settledSince;
        return (
          stored.releasesNeeded <= (this.#releases.get(stored.message.kind) ?? 0) &&
          !this.#wasSentSince(receipt?.sentAt ?? null, notSentSince)
        );
      })
      .slice(0, limit);
  }

  markSent(uid: number, number: number, settled: boolean, at: number): void {
    const stored = this.#stored[number];
    if (stored === undefined || !this.#isFor(stored, uid) || stored.replaced) return;
    const receipt = this.#receipt(stored, uid);
    if (receipt.settled) return;
    receipt.sentAt = Math.max(receipt.sentAt ?? at, at);
    receipt.settled = settled;
  }

  ack(uid: number, numbers: readonly number[], at: number): number {
    return this.#change(
      uid,
      numbers,
      (receipt) => {
        if (receipt.ackedAt !== null) return false;
        receipt.ackedAt = at;
        return true;
      },
      at,
    );
  }

  read(uid: number, mark: ReadMark | { numbers: readonly number[] }, at: number): number {
    const numbers =
      'numbers' in mark ? mark.numbers : this.#numbers(uid, 'kind' in mark ? mark.kind : undefined);
    return this.#change(
      uid,
      numbers,
      (receipt) => {
        if (receipt.readAt !== null) return false;
        receipt.readAt = at;
        receipt.ackedAt ??= at;
        return true;
      },
      at,
    );
  }

  /** Newest first. */
  list(uid: number, kind: Kind | undefined, unread: boolean): { number: number; read: boolean }[] {
    return this.#numbers(uid, kind)
      .map((number) => ({ number, read: (this.#at(number).receipts.get(uid)?.readAt ?? null) !== null }))
      .filter(({ read }) => !(unread && read))
      .reverse();
  }

  unread(uid: number): UnreadCounts {
    const of = (kind: Kind) => this.list(uid, kind, true).length;
    const counts = { comment: of('comment'), userNotice: of('userNotice'), systemNotice: of('systemNotice') };
    return { ...counts, total: counts.comment + counts.userNotice + counts.systemNotice };
  }

  state(number: number): { state: MessageState; sent: number; acked: number; read: number } {
    const stored = this.#at(number);
    const receipts = [...stored.receipts.values()];
    const sent = receipts.filter(({ sentAt }) => sentAt !== null).length;
    const acked = receipts.filter(({ ackedAt }) => ackedAt !== null).length;
    const read = receipts.filter(({ readAt }) => readAt !== null).length;
    const state = (): MessageState => {
      if (read > 0) return 'read';
      if (acked > 0) return 'acked';
      if (stored.expiresAt <= this.#clock.now()) return 'expired';
      return sent > 0 ? 'sent' : 'pending';
    };
    return { state: state(), sent, acked, read };
  }

  release(kind: Kind): void {
    this.#releases.set(kind, (this.#releases.get(kind) ?? 0) + 1);
  }

  message(number: number): NewMessage {
    return this.#at(number).message;
  }

  #change(
    uid: number,
    numbers: readonly number[],
    change: (receipt: Receipt) => boolean,
    at: number,
  ): number {
    let changed = 0;
    for (const number of new Set(numbers)) {
      const stored = this.#stored[number];
      if (stored === undefined || !this.#isFor(stored, uid)) continue;
      const receipt = this.#receipt(stored, uid);
      if (!change(receipt)) continue;
      receipt.sentAt ??= at;
      receipt.settled = true;
      changed += 1;
    }
    return changed;
  }

  /** What is stored for this user and not expired, oldest first. */
  #numbers(uid: number, kind: Kind | undefined): number[] {
    return [...this.#stored.keys()].filter((number) => {
      const stored = this.#at(number);
      return (
        this.#isFor(stored, uid) &&
        (kind === undefined || stored.message.kind === kind) &&
        stored.expiresAt > this.#clock.now()
      );
    });
  }

  /** A stamp that is ahead of what clocks may differ by says nothing: the clock was set back. */
  #wasSentSince(sentAt: number | null, since: number): boolean {
    return sentAt !== null && sentAt >= since && sentAt <= this.#clock.now() + 60_000;
  }

  #isFor(stored: Stored, uid: number): boolean {
    return stored.message.uid === null || stored.message.uid === uid;
  }

  /** Still to be delivered: a notice for everybody always, a personal message until it is settled. */
  #isOpen({ message, receipts, replaced }: Stored): boolean {
    return !replaced && (message.uid === null || !receipts.get(message.uid)?.settled);
  }

  #unsent(stored: Stored): boolean {
    return this.#isOpen(stored) && stored.receipts.size === 0 && stored.expiresAt > this.#clock.now();
  }

  #receipt(stored: Stored, uid: number): Receipt {
    const known = stored.receipts.get(uid);
    if (known !== undefined) return known;
    const receipt: Receipt = { settled: false, sentAt: null, ackedAt: null, readAt: null };
    stored.receipts.set(uid, receipt);
    return receipt;
  }

  #at(number: number): Stored {
    const stored = this.#stored[number];
    if (stored === undefined) throw new RangeError(`no message ${number}`);
    return stored;
  }
}
