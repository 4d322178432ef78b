import { expect, test } from 'vitest';
import { AddressBudget } from '../../../../src/worker/gateway/address-budget.js';
import { CLOCK_STEPS_MS, FakeClock } from '../../../support/fake-clock.js';

test('counts the connections of each address', () => {
  const budget = new AddressBudget(new FakeClock());
  expect([1, 2, 3].map(() => budget.takeLink('a', 2))).toEqual([true, true, false]);
  expect(budget.takeLink('b', 2)).toBe(true);
  budget.returnLink('a');
  expect(budget.takeLink('a', 2)).toBe(true);
});

test.each([
  0,
  ...CLOCK_STEPS_MS,
])('forgets refused logins after a minute, also when the clock is set by %d ms', (step) => {
  const clock = new FakeClock();
  const budget = new AddressBudget(clock);
  budget.loginRefused('a');
  clock.step(step);
  expect([budget.mayLogin('a', 1), budget.mayLogin('b', 1)]).toEqual([false, true]);
  clock.advance(60_000);
  expect(budget.mayLogin('a', 1)).toBe(true);
});
