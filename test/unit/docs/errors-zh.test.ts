/**
 * Holds docs/ERRORS.zh-CN.md to the texts of the program, which speaks English only: what the page quotes, so that a text on
 * the screen can be looked up in it, is still what the code says.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { repositoryFile } from '../../support/kept-file.js';

const SRC = path.resolve(import.meta.dirname, '../../../src');
const source = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(path.join(SRC, name), 'utf8'))
  .join('\n');

/** The quoted texts of each row of the tables of codes; what stands in backticks is a name, not a text. */
const quoted = repositoryFile('docs/ERRORS.zh-CN.md')
  .split('\n')
  .flatMap((line) => {
    const code = /^\| `([A-Z_]+)` \|/.exec(line)?.[1];
    if (code === undefined) return [];
    return [...line.replaceAll(/`[^`]*`/g, '').matchAll(/"([^"]*)"/g)].map(([, text = '']) => ({
      code,
      text,
    }));
  });

describe('docs/ERRORS.zh-CN.md', () => {
  test('quotes what the program prints', () => {
    expect(quoted.length).toBeGreaterThan(30);
  });

  test.each(quoted)('$code: the program says "$text"', ({ text }) => {
    expect(text.length).toBeGreaterThan(8);
    expect(source.includes(text)).toBe(true);
  });
});
