import { beforeEach, expect, test } from 'vitest';
import { RateBucket } from '../../../../src/worker/gateway/rate-bucket.js';
import { FakeClock } from '../../../support/fake-clock.js';

const LIMIT = { perSecond: 10, burst: 5 };

let clock: FakeClock;

beforeEach(() => {
  clock = new FakeClock();
});

test('gives a burst, then what time brings, and no more than a burst after a rest', () => {
  const bucket = RateBucket.full(LIMIT, clock.moment());
  const take = (times: number, afterMs: number): number => {
    clock.advance(afterMs);
    return Array.from({ length: times }, () => bucket.take(LIMIT, clock.moment())).filter(Boolean).length;
  };
  expect(take(10, 0)).toBe(5);
  expect(take(10, 99)).toBe(0);
  expect(take(10, 201)).toBe(3);
  expect(take(10, 60_000)).toBe(5);
});

test('goes on in another process with what was left', () => {
  const before = RateBucket.full(LIMIT, clock.moment());
  for (let n = 0; n < 4; n += 1) before.take(LIMIT, clock.moment());
  const after = new RateBucket(before.state);
  expect(after.take(LIMIT, clock.moment())).toBe(true);
  expect(after.take(LIMIT, clock.moment())).toBe(false);
  clock.advance(100);
  expect(after.take(LIMIT, clock.moment())).toBe(true);
});
