/**
 * Statements as they are sent: with nothing in them that somebody outside has written.
 *
 * Quoting text is only safe when client and server agree on where a character ends. A server that was told to ignore what
 * clients ask for (skip-character-set-client-handshake with gbk) takes a backslash for the second half of a Chinese
 * character, and the rest of a title becomes SQL. So a value is written in digits alone: numbers in decimal, texts as the
 * hexadecimal bytes of their UTF-8, with the character set named beside them. Digits mean the same in every character set,
 * SQL mode and version, and no `?` is looked for in what has been filled in.
 *
 * Not bound to prepared statements: see docs/decisions/0012-store-of-several-nodes.md.
 */
import { AssertionError, assert } from '../../../shared/base/assert.js';
import type { Statement } from './statements.js';

/** The text of a statement, its values written into it. */
export function textOf({ sql, parameters }: Statement): string {
  if (parameters.length === 0) return sql;
  const parts = sql.split('?');
  const places = parts.length - 1;
  assert(places === parameters.length, `${places} places in a statement for ${parameters.length} values`);
  let text = parts[0] ?? '';
  for (let index = 0; index < places; index += 1) {
    const value = parameters[index];
    text += Array.isArray(value) ? rowsOf(value) : literalOf(value);
    text += parts[index + 1];
  }
  return text;
}

/** For `VALUES ?`. */
function rowsOf(rows: readonly (readonly unknown[])[]): string {
  let text = '';
  for (const row of rows) {
    text += text === '' ? '(' : ',(';
    for (let index = 0; index < row.length; index += 1)
      text += index === 0 ? literalOf(row[index]) : `,${literalOf(row[index])}`;
    text += ')';
  }
  return text;
}

function literalOf(value: unknown): string {
  switch (typeof value) {
    case 'number':
      if (Number.isSafeInteger(value)) return `${value}`;
      break;
    case 'bigint':
      return `${value}`;
    case 'string':
      return `_utf8mb4 X'${Buffer.from(value, 'utf8').toString('hex')}'`;
    case 'object':
      if (value === null) return 'NULL';
  }
  throw new AssertionError(`${typeof value} ${String(value)} is no value of a statement`);
}
