import { expect, test } from 'vitest';
import { fitTable, type Layouts } from '../../../src/cli/fitted-table.js';

const A = { title: 'first', cell: (item: string) => item };
const B = { title: 'second', cell: (item: string) => `${item}${item}` };
const LAYOUTS: Layouts<string> = [[A, B], [A]];

test('the fullest layout that fits is taken', () => {
  const items = ['aaaaaaaa'];
  // 8 + 16 letters and the frame of two columns.
  expect(fitTable(LAYOUTS, items, { width: 31 }).layout).toEqual([A, B]);
  expect(fitTable(LAYOUTS, items, { width: 30 }).layout).toEqual([A]);
  expect(fitTable(LAYOUTS, items, { width: Number.POSITIVE_INFINITY }).layout).toEqual([A, B]);
});

test('when none fits, the narrowest is taken and wrapped', () => {
  const { layout, text } = fitTable(LAYOUTS, ['a'.repeat(30)], { width: 20 });
  expect(layout).toEqual([A]);
  for (const line of text.split('\n')) expect(line).toHaveLength(20);
});
