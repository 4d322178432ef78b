import { expect, test } from 'vitest';
import { RateBucket } from '../../../../src/worker/gateway/rate-bucket.js';

const LIMIT = { perSecond: 10, burst: 5 };

test('gives a burst, then what time brings, and no more than a burst after a rest', () => {
  const bucket = RateBucket.full(LIMIT, 0);
  const take = (times: number, nowMs: number): number =>
    Array.from({ length: times }, () => bucket.take(LIMIT, nowMs)).filter(Boolean).length;
  expect(take(10, 0)).toBe(5);
  expect(take(10, 99)).toBe(0);
  expect(take(10, 300)).toBe(3);
  expect(take(10, 60_000)).toBe(5);
});

test('a clock that steps back takes nothing away', () => {
  const bucket = RateBucket.full(LIMIT, 10_000);
  expect(bucket.take(LIMIT, 5000)).toBe(true);
  expect(bucket.take(LIMIT, 5000)).toBe(true);
});

test('goes on in another process with what was left', () => {
  const before = RateBucket.full(LIMIT, 0);
  for (let n = 0; n < 4; n += 1) before.take(LIMIT, 0);
  const after = new RateBucket(before.state);
  expect(after.take(LIMIT, 0)).toBe(true);
  expect(after.take(LIMIT, 0)).toBe(false);
  expect(after.take(LIMIT, 100)).toBe(true);
});
