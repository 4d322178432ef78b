/** Figures of a run as a table for people: plain text, columns of one width. */
export function textTable(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const lines = [head, ...rows.map((row) => row.map(String))];
  const widths = head.map((_, k) => Math.max(...lines.map((line) => (line[k] ?? '').length)));
  return lines
    .map((line) =>
      line
        .map((cell, k) => (k === 0 ? cell.padEnd(widths[k] ?? 0) : cell.padStart(widths[k] ?? 0)))
        .join('  '),
    )
    .join('\n');
}

/** One digit behind the point; `-` when nothing was measured. */
export function ms(value: number): string {
  return Number.isFinite(value) ? value.toFixed(1) : '-';
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(0)} mb`;
}
