import { expect, test } from 'vitest';
import { AddressBudget } from '../../../../src/worker/gateway/address-budget.js';

test('counts the connections of each address', () => {
  const budget = new AddressBudget();
  expect([1, 2, 3].map(() => budget.takeLink('a', 2))).toEqual([true, true, false]);
  expect(budget.takeLink('b', 2)).toBe(true);
  budget.returnLink('a');
  expect(budget.takeLink('a', 2)).toBe(true);
});
