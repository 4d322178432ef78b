import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { strictJson } from '../../../../src/shared/base/strict-json.js';
import { clipped, isWellFormed, wellFormed } from '../../../../src/shared/base/well-formed.js';
import { readStrictly } from '../../../support/strict-json.js';

/** Halves of surrogate pairs among others. */
const anyUnits = fc
  .array(fc.oneof(fc.integer({ min: 0xd800, max: 0xdfff }), fc.nat(0xffff), fc.constantFrom(0x5c, 0x64)))
  .map((units) => String.fromCharCode(...units));

describe('strict JSON', () => {
  test('of any texts and names can be read by a strict parser, and says the same as far as it can', () => {
    fc.assert(
      fc.property(fc.dictionary(anyUnits, fc.oneof(anyUnits, fc.array(anyUnits))), (value) => {
        const text = strictJson(value);
        const names = Object.keys(value).map(wellFormed);
        if (new Set(names).size === names.length) readStrictly(text);
        expect(text).not.toMatch(/(?<!\\)(?:\\\\)*\\ud[89a-f]/i);
        if (Object.entries(value).flat(2).every(isWellFormed)) expect(text).toBe(JSON.stringify(value));
      }),
    );
  });

  test('leaves what merely looks like a half alone', () => {
    expect(strictJson({ a: '\\ud83d', n: 1 })).toBe('{"a":"\\\\ud83d","n":1}');
    expect(strictJson({ a: ['\ud83d', '\\ud83d'], n: null })).toBe('{"a":["\ufffd","\\\\ud83d"],"n":null}');
  });
});

test('a clipped text is well-formed, no longer than it may be, and begins as the whole', () => {
  fc.assert(
    fc.property(anyUnits, fc.integer({ min: 1, max: 20 }), (text, unitsMax) => {
      const short = clipped(text, unitsMax);
      expect(isWellFormed(short)).toBe(true);
      expect(short.length).toBeLessThanOrEqual(unitsMax + 1);
      const begins = short.endsWith('…') && text.length > unitsMax ? short.slice(0, -1) : short;
      expect(wellFormed(text).startsWith(begins)).toBe(true);
    }),
  );
  expect(clipped(`${'a'.repeat(9)}😀b`, 10)).toBe(`${'a'.repeat(9)}…`);
});
