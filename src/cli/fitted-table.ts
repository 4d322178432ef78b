/**
 * A table in the fullest of several layouts that fits the terminal: a narrow one leaves out what can be done without
 * instead of breaking every cell. When none fits, the last one is taken and its longest cells are wrapped.
 */
import { type Column, type Row, renderTable, tableWidth } from './table.js';

export interface FittedColumn<T> {
  readonly title: string;
  cell(row: T): string;
}

/** Columns from left to right. */
export type Layout<T> = readonly FittedColumn<T>[];

/** From the fullest to the narrowest. */
export type Layouts<T> = readonly [Layout<T>, ...Layout<T>[]];

export interface FittedTable<T> {
  readonly text: string;
  /** The one that was taken, for notes about what it leaves out. */
  readonly layout: Layout<T>;
}

export function fitTable<T>(
  layouts: Layouts<T>,
  items: readonly T[],
  { width }: { readonly width: number },
): FittedTable<T> {
  const fits = (layout: Layout<T>) => {
    const { columns, rows } = filled(layout, items);
    return tableWidth(columns, rows) <= width;
  };
  const layout = layouts.find(fits) ?? layouts.at(-1) ?? layouts[0];
  const { columns, rows } = filled(layout, items);
  return { text: renderTable(columns, rows, { width }), layout };
}

function filled<T>(layout: Layout<T>, items: readonly T[]): { columns: Column[]; rows: Row[] } {
  return {
    columns: layout.map(({ title }, at) => ({ key: String(at), title })),
    rows: items.map((item) => Object.fromEntries(layout.map(({ cell }, at) => [String(at), cell(item)]))),
  };
}
