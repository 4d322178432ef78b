/** Draws rows as a table of the original's box characters; long cells are wrapped so that it fits the terminal. */

export interface Column {
  readonly key: string;
  /** The heading; the key by default. */
  readonly title?: string;
}

/** Cells by key; a line break in a cell is kept. */
export type Row = Readonly<Record<string, string>>;

export interface TableOptions {
  /** Columns of the terminal. */
  readonly width: number;
}

/** No column is made narrower than this, even if the table then is too wide. */
const COLUMN_MIN = 8;

export function renderTable(
  columns: readonly Column[],
  rows: readonly Row[],
  { width }: TableOptions,
): string {
  const titles = columns.map(({ key, title }) => title ?? key);
  const cells = rows.map((row) => columns.map(({ key }) => row[key] ?? ''));
  const widths = columnWidths(wantedWidths(columns, rows), width - frameWidth(columns));
  const rule = (left: string, middle: string, right: string) =>
    left + widths.map((size) => '─'.repeat(size + 2)).join(middle) + right;
  return [
    rule('┌', '┬', '┐'),
    ...draw(titles.map(centred(widths)), widths),
    rule('├', '┼', '┤'),
    ...cells.flatMap((line) => draw(line, widths)),
    rule('└', '┴', '┘'),
  ].join('\n');
}

/** What the table takes when nothing is wrapped. */
export function tableWidth(columns: readonly Column[], rows: readonly Row[]): number {
  return wantedWidths(columns, rows).reduce((total, size) => total + size, frameWidth(columns));
}

function wantedWidths(columns: readonly Column[], rows: readonly Row[]): number[] {
  return columns.map(({ key, title = key }) =>
    Math.max(
      title.length,
      ...rows.flatMap((row) => (row[key] ?? '').split('\n').map(({ length }) => length)),
    ),
  );
}

/** Lines and spaces around the cells. */
function frameWidth(columns: readonly Column[]): number {
  return 3 * columns.length + 1;
}

/** Takes from the widest column, again and again, until all fit. */
function columnWidths(wanted: readonly number[], room: number): number[] {
  const widths = [...wanted];
  const sum = () => widths.reduce((total, size) => total + size, 0);
  while (sum() > room) {
    const widest = widths.indexOf(Math.max(...widths));
    const size = widths[widest] ?? 0;
    if (size <= COLUMN_MIN) break;
    const next = Math.max(COLUMN_MIN, ...widths.filter((_, at) => at !== widest && (widths[at] ?? 0) < size));
    widths[widest] = Math.max(size - (sum() - room), Math.min(next, size - 1));
  }
  return widths;
}

/** One row: as many lines as its tallest cell. */
function draw(cells: readonly string[], widths: readonly number[]): string[] {
  const wrapped = cells.map((cell, at) =>
    cell.split('\n').flatMap((line) => wrap(line, widths[at] ?? COLUMN_MIN)),
  );
  const height = Math.max(1, ...wrapped.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) => {
    const parts = wrapped.map((lines, at) => (lines[line] ?? '').padEnd(widths[at] ?? 0));
    return `│ ${parts.join(' │ ')} │`;
  });
}

function wrap(cell: string, size: number): string[] {
  const lines: string[] = [];
  for (let rest = cell; rest.length > 0; ) {
    const space = rest.length > size ? rest.lastIndexOf(' ', size) : -1;
    const cut = space > size / 2 ? space : size;
    lines.push(rest.slice(0, cut));
    rest = rest.slice(cut).trimStart();
  }
  return lines;
}

function centred(widths: readonly number[]): (title: string, at: number) => string {
  return (title, at) => {
    const size = widths[at] ?? 0;
    return title.padStart(title.length + Math.max(0, Math.floor((size - title.length) / 2)));
  };
}
