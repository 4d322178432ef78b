import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineReader, LineTooLong } from '../../../../src/master/control/line-reader.js';

describe('LineReader', () => {
  it('finds the same lines however the bytes are cut', () => {
    const line = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\n'));
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.integer({ min: 1, max: 9 })), (lines, cuts) => {
        const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''));
        const reader = new LineReader(1_000_000);
        const found: string[] = [];
        let from = 0;
        for (const cut of cuts) {
          found.push(...reader.push(bytes.subarray(from, from + cut)));
          from += cut;
        }
        found.push(...reader.push(bytes.subarray(from)));
        expect(found).toEqual(lines);
      }),
    );
  });

  it('refuses a line that is too long, finished or not', () => {
    expect(new LineReader(10).push(Buffer.from('0123456789\n'))).toEqual(['0123456789']);
    expect(() => new LineReader(10).push(Buffer.from('0123456789a\n'))).toThrow(LineTooLong);
    const reader = new LineReader(10);
    reader.push(Buffer.from('01234'));
    expect(() => reader.push(Buffer.from('567890'))).toThrow(LineTooLong);
  });
});
