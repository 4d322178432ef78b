import { expect, test } from 'vitest';
import { renderTable } from '../../../src/cli/table.js';

const COLUMNS = [{ key: 'item' }, { key: 'value' }];

test('a table has box lines and centred headings', () => {
  const table = renderTable(COLUMNS, [{ item: 'connectionNum', value: '7' }, { item: 'pid' }], { width: 80 });
  expect(table.split('\n')).toEqual([
    '┌───────────────┬───────┐',
    '│     item      │ value │',
    '├───────────────┼───────┤',
    '│ connectionNum │ 7     │',
    '│ pid           │       │',
    '└───────────────┴───────┘',
  ]);
});

test('long cells are wrapped so that the table fits', () => {
  const rows = [{ item: 'TrustedProxies', value: `["127.0.0.0/8", "::1/128", "${'x'.repeat(90)}"]` }];
  const lines = renderTable(COLUMNS, rows, { width: 60 }).split('\n');
  for (const line of lines) expect(line).toHaveLength(60);
  const cells = lines.slice(3, -1).map((line) => line.split('│')[2]?.trim());
  expect(cells.join('').replaceAll(' ', '')).toBe(rows[0]?.value.replaceAll(' ', ''));
});

test('without rows there are the headings', () => {
  expect(renderTable(COLUMNS, [], { width: 80 }).split('\n')).toHaveLength(4);
});

test('a terminal too narrow for any table does not stop it', () => {
  expect(renderTable(COLUMNS, [{ item: 'a'.repeat(50), value: 'b' }], { width: 5 })).toContain('aaaaaaaa');
});

test('a line break in a cell is kept', () => {
  const table = renderTable(COLUMNS, [{ item: '02-03\n11:20', value: 'a b' }], { width: 80 });
  expect(table.split('\n').slice(3, -1)).toEqual(['│ 02-03 │ a b   │', '│ 11:20 │       │']);
});
