/** What is sent to the server: no text from outside may be in it as it is, whatever it is. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { textOf } from '../../../../../src/platform/store/mysql/literals.js';

const HOSTILE = [
  "中'),(99,1,current_user())#",
  "x\u00bf'",
  '縗\\',
  '?',
  '',
  '\0',
  "'",
  '`',
  '%',
  '\ud800',
  '😀',
];

test('a text is the hexadecimal digits of its UTF-8, with its character set beside it', () => {
  expect(textOf({ sql: 'SELECT ?', parameters: ["中'"] })).toBe("SELECT _utf8mb4 X'e4b8ad27'");
  expect(textOf({ sql: 'SELECT ?, ?', parameters: ['', '?'] })).toBe("SELECT _utf8mb4 X'', _utf8mb4 X'3f'");
});

test('numbers are decimal digits, of any length', () => {
  const parameters = [7, -1, 1575511479791128576n, null, Number.MAX_SAFE_INTEGER];
  expect(textOf({ sql: '? ? ? ? ?', parameters })).toBe('7 -1 1575511479791128576 NULL 9007199254740991');
});

test('rows become the list of VALUES', () => {
  const rows = [
    [1n, 'a', null],
    [2n, 'b', 3],
  ];
  expect(textOf({ sql: 'INSERT INTO t VALUES ?', parameters: [rows] })).toBe(
    "INSERT INTO t VALUES (1,_utf8mb4 X'61',NULL),(2,_utf8mb4 X'62',3)",
  );
});

test('whatever the texts are, what is sent has only the statement’s own characters and digits, and says them', () => {
  const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.constantFrom(...HOSTILE));
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 8 }), (texts) => {
      const sent = textOf({ sql: `SELECT ${texts.map(() => '?').join()}`, parameters: texts });
      expect(sent).toMatch(/^SELECT (_utf8mb4 X'[0-9a-f]*',?)+$/);
      const said = [...sent.matchAll(/X'([0-9a-f]*)'/g)].map(([, hex]) => Buffer.from(hex ?? '', 'hex'));
      expect(said.map(String)).toEqual(texts.map((each) => Buffer.from(each).toString()));
    }),
  );
});

test('what is neither text, whole number nor nothing is our own mistake', () => {
  for (const value of [undefined, Number.NaN, 1.5, 2 ** 60, true, {}, Buffer.from('a'), new Date(0)])
    expect(() => textOf({ sql: 'SELECT ?', parameters: [value] }), String(value)).toThrow('no value');
});

test('a value without its place, or a place without its value, is refused', () => {
  expect(() => textOf({ sql: 'SELECT ?', parameters: [1, 2] })).toThrow('1 places');
  expect(() => textOf({ sql: 'SELECT ?, ?', parameters: [1] })).toThrow('2 places');
});
