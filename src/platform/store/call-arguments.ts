/** What every store asks of the arguments of a call, whatever its tables look like: wrong ones are our own bug. */
import { assert } from '../../shared/base/assert.js';
import { KINDS, type Kind } from '../../shared/domain/kind.js';
import { ID_ZERO, type MessageId } from '../../shared/domain/message-id.js';
import { KIND_NUMBER } from './kind-number.js';
import type { PendingQuery } from './message-store.js';

/** Clocks of nodes agree within this, as the bus asks of them. A stamp further ahead is of a clock that was set back since. */
export const CLOCKS_APART_MS_MAX = 60_000;

/** All kinds, or the one that was asked for. */
export function kindNumbers(kind: Kind | undefined): number[] {
  return (kind === undefined ? KINDS : [kind]).map((each) => KIND_NUMBER[each]);
}

export function assertUser(uid: number): void {
  assert(Number.isSafeInteger(uid) && uid > 0, `uid ${uid} is not a positive whole number`);
}

export function assertTime(at: number): number {
  assert(Number.isSafeInteger(at), `moment ${at} is not a whole number of milliseconds`);
  return at;
}

export function assertLimit(limit: number): number {
  assert(Number.isSafeInteger(limit) && limit > 0, `limit ${limit} is not a positive whole number`);
  return limit;
}

/** `pending` of some users, with everything that was not said filled in. */
export interface PendingArgs {
  readonly uids: readonly number[];
  readonly after: MessageId;
  /** Kind numbers asked for. */
  readonly kinds: readonly number[];
  readonly notSentSince: number;
  /** Stamps above this one say nothing. */
  readonly sentAtMax: number;
  readonly settledSince: MessageId | null;
  readonly limit: number;
  /** Unix ms. */
  readonly now: number;
}

export function pendingArgs(uids: readonly number[], query: PendingQuery, now: number): PendingArgs {
  for (const uid of uids) assertUser(uid);
  return {
    uids: [...new Set(uids)],
    after: query.after ?? ID_ZERO,
    kinds: kindNumbers(query.kind),
    notSentSince: query.notSentSince ?? Number.MAX_SAFE_INTEGER,
    sentAtMax: now + CLOCKS_APART_MS_MAX,
    settledSince: query.settledSince ?? null,
    limit: assertLimit(query.limit),
    now,
  };
}
