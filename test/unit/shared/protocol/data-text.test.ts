import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DATA_BYTES_MAX, type DataFault, dataText } from '../../../../src/shared/protocol/data-text.js';
import { anyData } from '../../../support/any-message.js';
import { readStrictly } from '../../../support/strict-json.js';

function faultOf(text: string): DataFault {
  const found = dataText(text);
  if (typeof found === 'string') throw new Error(`taken: ${found.slice(0, 200)}`);
  return found;
}

const nested = (levels: number, inner = '1') => `${'{"a":'.repeat(levels)}${inner}${'}'.repeat(levels)}`;

describe('the text of data', () => {
  test('means what was written: names, their order, texts, and each number’s digits', () => {
    fc.assert(
      fc.property(anyData, (text) => {
        const kept = dataText(text);
        if (typeof kept !== 'string') throw new Error(`refused: ${JSON.stringify(kept)}`);
        expect(readStrictly(kept)).toEqual(readStrictly(text));
        expect(kept).not.toMatch(/[\n\r]/);
        expect(dataText(kept)).toBe(kept);
      }),
      { numRuns: 500 },
    );
  });

  test('has no blanks between its tokens, and its strings the short way', () => {
    expect(dataText(' {\n "a" : [ 1.0 , -0 ,1E+05, true,null ] ,\t"\\u00e9\\/": "\\ud83d\\ude00" } ')).toBe(
      '{"a":[1.0,-0,1E+05,true,null],"é/":"😀"}',
    );
    expect(dataText('{}')).toBe('{}');
    expect(dataText('{"a":{},"b":[]}')).toBe('{"a":{},"b":[]}');
  });

  test('may be [], which PHP writes for an empty object', () => {
    for (const text of ['[]', '[ ]', '[\r\n]']) expect(dataText(text)).toBe('{}');
  });

  test('keeps names that objects of JavaScript have a use for, and their order', () => {
    const text = '{"b":1,"2":2,"1":3,"__proto__":{"a":1},"constructor":{"prototype":4},"toJSON":5,"":6}';
    expect(dataText(text)).toBe(text);
    expect(({} as { a?: unknown }).a).toBeUndefined();
  });

  test.each(['"x"', '1', 'true', '[1]', '[[]]'])('%s is no object', (text) => {
    expect(faultOf(text)).toEqual({ path: [], message: expect.stringContaining('expected an object') });
  });

  test.each([
    ['{"a":1e400}', 'a', '1e400'],
    ['{"a":[0,{"b":-1e999}]}', 'a.1.b', '-1e999'],
    ['{"n":12345678901234567890}', 'n', '12345678901234567890'],
    ['{"n":9007199254740992}', 'n', '9007199254740992'],
    ['{"list":[{"id":-7301234567890123456}]}', 'list.0.id', 'string'],
    [`{"n":${'9'.repeat(400)}}`, 'n', '999…'],
    ['{"a":1,"a":2}', 'a', 'twice'],
    ['{"x":{"a":1,"\\u0061":2}}', 'x.a', 'twice'],
    ['{"__proto__":1,"__proto__":2}', '__proto__', 'twice'],
    ['{"a":"cut \\ud83d"}', 'a', 'half'],
    ['{"a":["\\ude00"]}', 'a.0', 'half'],
    ['{"a\\ud83d":1}', 'a\ufffd', 'half'],
    ['{"\\u0000a":1}', '\u0000a', 'U+0000'],
  ])('%s is refused at %s', (text, path, named) => {
    const fault = faultOf(text);
    expect(fault.path.join('.')).toBe(path);
    expect(fault.message).toContain(named);
    expect(fault.message.length).toBeLessThan(160);
  });

  test.each([
    '{"n":9007199254740991,"m":-9007199254740991}',
    '{"n":1e300,"m":1e-400,"x":0.1234567890123456789012345}',
    '{"a":"\\u0000","a\\u0000":1}',
    '{"a":"\uffff\ufdd0"}',
  ])('%s is taken as it is', (text) => {
    expect(dataText(text)).toBe(text);
  });

  test('has at most 8 KiB, counted without blanks and needless escapes', () => {
    const most = `{"a":"${'x'.repeat(DATA_BYTES_MAX - 8)}"}`;
    expect(dataText(most)).toBe(most);
    expect(faultOf(`{"a":"${'x'.repeat(DATA_BYTES_MAX - 7)}"}`).message).toContain('got more than 8192');
    expect(faultOf(`{"a":"${'字'.repeat(3000)}"}`).message).toContain('got 9008');
    const escaped = `{${' '.repeat(100_000)}"a":"${'\\u5b57'.repeat(2700)}"}`;
    expect(dataText(escaped)).toBe(`{"a":"${'字'.repeat(2700)}"}`);
  });

  test('has at most 32 levels, and a million are refused without overflow', () => {
    expect(dataText(nested(32))).toBe(nested(32));
    expect(faultOf(nested(33)).message).toContain('32 levels');
    expect(faultOf(`{"a":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`).message).toContain('32 levels');
    expect(faultOf(`{"a":[${'1,'.repeat(1_000_000)}1]}`).message).toContain('8192');
  });

  test('tells where with a path that is short and well-formed, however names are', () => {
    const name = `${'a'.repeat(39)}😀b`;
    const fault = faultOf(`{"${name}":${nested(20, '1e400')}}`);
    expect(fault.path).toEqual([`${'a'.repeat(39)}…`, ...Array(7).fill('a')]);
  });
});
