import { beforeEach, expect, test } from 'vitest';
import { Breaker } from '../../../../src/platform/auth/breaker.js';
import type { BreakerState } from '../../../../src/platform/auth/user-verifier.js';
import { CLOCK_STEPS_MS, FakeClock } from '../../../support/fake-clock.js';

let clock: FakeClock;
let states: BreakerState[];
let breaker: Breaker;

beforeEach(() => {
  clock = new FakeClock();
  states = [];
  breaker = new Breaker({ failures: 3, openMs: 5000, clock, onChange: (state) => states.push(state) });
});

const call = (ok: boolean) =>
  breaker.run(
    async () => ok,
    (result) => !result,
  );

/** A call that ends when it is told. */
function pending(): { done: Promise<boolean | null>; finish: (ok: boolean) => void } {
  let finish: (ok: boolean) => void = () => {};
  const answer = new Promise<boolean>((resolve) => {
    finish = resolve;
  });
  return {
    done: breaker.run(
      () => answer,
      (result) => !result,
    ),
    finish: (ok) => finish(ok),
  };
}

test('opens after failures in a row, not after failures with successes between', async () => {
  for (const ok of [false, false, true, false, false]) expect(await call(ok)).toBe(ok);
  expect(states).toEqual([]);
  expect(await call(false)).toBe(false);
  expect(states).toEqual(['open']);
  expect(breaker.passable).toBe(false);
  expect(await call(true)).toBeNull();
});

test('lets a single call try when its time is up; success closes it', async () => {
  for (let n = 0; n < 3; n += 1) await call(false);
  clock.advance(4999);
  expect(await call(true)).toBeNull();
  clock.advance(1);
  const probe = pending();
  expect(await call(true)).toBeNull();
  probe.finish(true);
  expect(await probe.done).toBe(true);
  expect(states).toEqual(['open', 'probing', 'closed']);
  expect(await call(true)).toBe(true);
});

test.each(
  CLOCK_STEPS_MS,
)('lets a call try no earlier and no later when the clock is set by %d ms', async (step) => {
  for (let n = 0; n < 3; n += 1) await call(false);
  clock.step(step);
  clock.advance(4999);
  expect(breaker.passable).toBe(false);
  clock.advance(1);
  expect(await call(true)).toBe(true);
});

test('stays open for another while when the try fails', async () => {
  for (let n = 0; n < 3; n += 1) await call(false);
  clock.advance(5000);
  await call(false);
  expect(states).toEqual(['open', 'probing', 'open']);
  clock.advance(4999);
  expect(await call(true)).toBeNull();
});

test('a call that began before it opened has no say in what the try finds out', async () => {
  const slow = pending();
  for (let n = 0; n < 3; n += 1) await call(false);
  clock.advance(5000);
  const probe = pending();
  slow.finish(false);
  await slow.done;
  expect(states).toEqual(['open', 'probing']);
  probe.finish(true);
  await probe.done;
  expect(states).toEqual(['open', 'probing', 'closed']);
});

test('a throw is a failure', async () => {
  for (let n = 0; n < 3; n += 1) {
    await expect(
      breaker.run(
        () => Promise.reject(new Error('x')),
        () => false,
      ),
    ).rejects.toThrow('x');
  }
  expect(states).toEqual(['open']);
});
