/** What every store asks of the arguments of a call, whatever its tables look like: wrong ones are our own bug. */
import { assert } from '../../shared/base/assert.js';
import { KINDS, type Kind } from '../../shared/domain/kind.js';
import { KIND_NUMBER } from './kind-number.js';

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
