/** Kinds as the small numbers that stand in the stores' tables. Never renumber: stores in the field hold them. */
import { assert } from '../../shared/base/assert.js';
import { KINDS, type Kind } from '../../shared/domain/kind.js';

export const KIND_NUMBER = {
  comment: 1,
  userNotice: 2,
  systemNotice: 3,
} as const satisfies Record<Kind, number>;

/** Kinds that belong to one user; the third is for everybody. */
export const PERSONAL_KINDS: readonly number[] = [KIND_NUMBER.comment, KIND_NUMBER.userNotice];

/** `uid` of a message for everybody. */
export const EVERYBODY = 0;

export function kindOf(number: number): Kind {
  const kind = KINDS.find((name) => KIND_NUMBER[name] === number);
  assert(kind !== undefined, `no kind has number ${number}`);
  return kind;
}
