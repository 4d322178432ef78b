/** Holds docs/ERRORS.md to the code: every code with its status and exit code, every exit code, every close code. */
import { describe, expect, test } from 'vitest';
import { ERROR_CODES, EXIT } from '../../../src/shared/base/errors.js';
import { CLOSE, mayReconnect } from '../../../src/shared/protocol/close-codes.js';
import { repositoryFile } from '../../support/kept-file.js';

/** Cells of every table row of the page. */
const rows = repositoryFile('docs/ERRORS.md')
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .map((line) =>
    line
      .slice(2, -2)
      .split(' | ')
      .map((cell) => cell.replaceAll('`', '')),
  );

function rowsOf(first: string): string[][] {
  return rows.filter(([cell]) => cell === first);
}

describe('docs/ERRORS.md', () => {
  test.each(Object.entries(ERROR_CODES))('has %s, once', (code, { status, exit }) => {
    const found = rowsOf(code);
    expect(found).toHaveLength(1);
    const [, statusCell, exitCell, meaning = '', advice = ''] = found[0] ?? [];
    expect([statusCell, exitCell]).toEqual([String(status), String(exit)]);
    expect(meaning.length).toBeGreaterThan(10);
    expect(advice.length).toBeGreaterThan(5);
  });

  test('has no code that does not exist', () => {
    const codes = rows.map(([cell = '']) => cell).filter((cell) => /^[A-Z]+(_[A-Z]+)*$/.test(cell));
    expect(codes.filter((code) => !Object.hasOwn(ERROR_CODES, code))).toEqual([]);
  });

  test.each(Object.entries(EXIT))('has the exit code %s', (name, exit) => {
    expect(rowsOf(String(exit)).some(([, cell]) => cell === name)).toBe(true);
  });

  test.each(Object.entries(CLOSE))('says of %s whether a client may come back', (name, code) => {
    const [, cell, , comeBack = ''] = rowsOf(String(code))[0] ?? [];
    expect(cell).toBe(name);
    expect(comeBack.startsWith(mayReconnect(code) ? 'yes' : 'no')).toBe(true);
  });
});
