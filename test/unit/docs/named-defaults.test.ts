/** Every default that a page names beside its key is the one of the schema. Chinese pages are held to the numbers of their twins. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { CONFIG_KEYS } from '../../../src/platform/config/config-keys.js';
import { inUnitOf, type NamedDefault, namedDefaults } from '../../support/named-defaults.js';

const ROOT = new URL('../../../', import.meta.url);
const page = (name: string): string => readFileSync(new URL(name, ROOT), 'utf8');
/** At least so many are found today: a test that finds none would hold nothing. */
const PAGES: readonly (readonly [string, number])[] = [
  ['README.md', 5],
  ['README.zh-CN.md', 5],
  ['docs/PROTOCOL.md', 25],
  ['docs/OPERATIONS.md', 2],
  ['docs/SCALING.md', 5],
  ['docs/ARCHITECTURE.md', 0],
  ['docs/ERRORS.md', 0],
  ['docs/INSTALL.md', 0],
];
const DECISIONS = readdirSync(new URL('docs/decisions/', ROOT)).map((name) => `docs/decisions/${name}`);

/** By its path, or by its name where that is one key's only. */
function keyOf(name: string) {
  const byName = CONFIG_KEYS.filter((key) => key.path === name || key.name === name);
  return byName.find(({ path }) => path === name) ?? (byName.length === 1 ? byName[0] : undefined);
}

function defaultOf(name: string): { readonly value: number; readonly unit: string | null } | null {
  const key = keyOf(name);
  // That of WorkerNum is the machine's.
  const value: unknown = key?.path === 'WorkerNum' ? null : key?.schema.parse(undefined);
  return typeof value === 'number' ? { value, unit: key?.meta.unit ?? null } : null;
}

/** Null when it is not of keys that have a number as default. */
function judged(said: NamedDefault): { readonly said: number; readonly is: number } | null {
  const defaults = said.keys.map(defaultOf);
  const [first] = defaults;
  if (!first || defaults.includes(null)) return null;
  return {
    said: inUnitOf(first.unit, said),
    is: defaults.reduce((sum, each) => sum + (each?.value ?? 0), 0),
  };
}

const claimsOf = (text: string) =>
  namedDefaults(text).flatMap((said) => {
    const result = judged(said);
    return result === null ? [] : [{ quote: said.quote, ...result }];
  });
const wrongIn = (text: string) => claimsOf(text).filter(({ said, is }) => said !== is);

test.each(PAGES)('%s', (name, atLeast) => {
  const text = page(name);
  expect(wrongIn(text)).toEqual([]);
  expect(claimsOf(text).length).toBeGreaterThanOrEqual(atLeast);
});

test.each(DECISIONS)('%s', (name) => {
  expect(wrongIn(page(name))).toEqual([]);
});

describe('a wrong number is found', () => {
  test.each([
    ['Above 50 in one Worker process (`LinksPerUser`) the connection', 50, 200],
    ['a head larger than 9 KiB (`HeaderBytesMax`) is', 9216, 8192],
    ['no answer within 2 s (`deadlineMs`) | 503', 2000, 3000],
    ['from this address (`LinksPerAddress`, 900 for each', 900, 1000],
    ['spread over `ReturnSeconds` (30 s)', 30, 60],
    ['idle timeout above `IdleSeconds` + `IdleGraceSeconds` (200 s)', 200, 240],
    ['then 4 s (`connectMs` + `queryMs`). A process', 4000, 3000],
    ['connections: `poolSize` 5 × Workers', 5, 4],
    ['| `IdleSeconds`, `IdleGraceSeconds` | 180, 61 | x |', 61, 60],
  ])('%s', (text, said, is) => {
    expect(wrongIn(text)).toEqual([expect.objectContaining({ said, is })]);
  });

  test('what is answered is no default', () => {
    expect(wrongIn('503\n(`MaxLinkNumber`, or stopping), the last two')).toEqual([]);
  });
});
