/**
 * Message ids: 64-bit, time-ordered, decimal strings wherever they are not bits.
 *
 * 41 bits of milliseconds since 2015-01-01, 10 bits of generator (one per living process that accepts messages),
 * 12 bits of sequence. The epoch is chosen so that every id from now on has 19 digits: ids compare as strings.
 */
import { assert } from '../base/assert.js';
import type { Clock } from '../base/clock.js';

export type MessageId = string & { readonly __brand: 'MessageId' };

export const ID_EPOCH_MS = Date.UTC(2015, 0, 1);
export const GENERATOR_MAX = 1023;
const GENERATOR_BITS = 10n;
const SEQUENCE_BITS = 12n;
const SEQUENCE_MAX = 4095;
/** Lower than any id that can be made, so usable as "from the beginning". */
export const ID_ZERO = '1000000000000000000' as MessageId;
const ID_MAX = 2n ** 63n - 1n;

/** Since the epoch: ids of an earlier moment have less than 19 digits. A clock that shows one (2022 and before) is wrong. */
const TIME_MS_MIN = Number(BigInt(ID_ZERO) >> (GENERATOR_BITS + SEQUENCE_BITS)) + 1;

const PATTERN = /^[1-9][0-9]{18}$/;

export function isMessageId(value: unknown): value is MessageId {
  return typeof value === 'string' && PATTERN.test(value) && BigInt(value) <= ID_MAX;
}

/** Trusts a number that came out of the store. */
export function messageIdFrom(value: bigint): MessageId {
  return value.toString() as MessageId;
}

/** When the id was made, Unix milliseconds. */
export function messageIdTime(id: MessageId): number {
  return Number(BigInt(id) >> (GENERATOR_BITS + SEQUENCE_BITS)) + ID_EPOCH_MS;
}

/** The lowest id of a moment: every id made before it is smaller. */
export function firstIdOf(unixMs: number): MessageId {
  return messageIdFrom(
    BigInt(Math.max(TIME_MS_MIN, Math.floor(unixMs) - ID_EPOCH_MS)) << (GENERATOR_BITS + SEQUENCE_BITS),
  );
}

/** The id just below: "above it" includes `id` itself. */
export function idBefore(id: MessageId): MessageId {
  return messageIdFrom(BigInt(id) - 1n);
}

export interface MessageIdSource {
  next(): bigint;
  /** Ids made from now on are higher than this one: called with the highest id the store holds. */
  raiseTo(id: bigint): void;
}

/**
 * Strictly rising ids, of 19 digits whatever the clock shows. When one millisecond's 4,096 are used up, or the clock steps
 * back, the source goes on from the last time it used; it never repeats and never waits.
 */
export function createMessageIdSource(generator: number, clock: Pick<Clock, 'now'>): MessageIdSource {
  assert(
    Number.isInteger(generator) && generator >= 0 && generator <= GENERATOR_MAX,
    `generator ${generator} is not in 0..${GENERATOR_MAX}`,
  );
  const generatorBits = BigInt(generator) << SEQUENCE_BITS;
  let timeMs = TIME_MS_MIN;
  let sequence = 0;
  return {
    next() {
      const nowMs = clock.now() - ID_EPOCH_MS;
      if (nowMs > timeMs) {
        timeMs = nowMs;
        sequence = 0;
      } else if (sequence < SEQUENCE_MAX) {
        sequence += 1;
      } else {
        timeMs += 1;
        sequence = 0;
      }
      return (BigInt(timeMs) << (GENERATOR_BITS + SEQUENCE_BITS)) | generatorBits | BigInt(sequence);
    },
    raiseTo(id) {
      const idMs = Number(id >> (GENERATOR_BITS + SEQUENCE_BITS));
      if (idMs >= timeMs) {
        timeMs = idMs;
        sequence = SEQUENCE_MAX;
      }
    },
  };
}
