/** Messages as a main site may send them: any Unicode, `data` of any shape with odd names and numbers, as JSON text. */
import fc from 'fast-check';
import { elementsOf, memberOf, readStrictly, type Strict, textOf } from './strict-json.js';

export interface AnyMessage {
  readonly title: string;
  readonly content: string;
  readonly url: string | null;
  /** JSON text, with blanks and escapes as the caller has them. */
  readonly data: string | null;
}

/** What makes trouble somewhere: line ends of JavaScript, byte order marks, directions, markup, quotes, controls, non-characters. */
const ODD_TEXTS = [
  '\u2028\u2029',
  '\ufeffmark',
  'e\u0301\u0323 combining',
  '👩‍👩‍👧‍👦🏳️‍🌈',
  '\u202eמימין לשמאל\u202c',
  '</script><!--',
  `'"\\\`\\\\"; DROP TABLE message; --`,
  '\u0000\u0001\u001f\u007f\u0085',
  '\uffff\ufffe\u{10ffff}',
  '\\ud83d \\u0000',
  '縗\\',
  '%00%20+&=;[0]',
  ' \t\r\n ',
  'null',
];
const ODD_NAMES = [
  '__proto__',
  'constructor',
  'prototype',
  'hasOwnProperty',
  'toJSON',
  'data',
  'items',
  'then',
  '',
  '2',
  '1',
  '-0',
];
const ODD_NUMBERS = [
  '1.0',
  '-0',
  '-0.0',
  '1e2',
  '1E+05',
  '100e-2',
  '5e-324',
  '1e-400',
  '1.7976931348623157e308',
];
const LONG_NUMBERS = ['0.1234567890123456789012345', '9007199254740991', '-9007199254740991', '1e22'];

const anyText = (maxLength: number): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength }) },
    { weight: 2, arbitrary: fc.string({ unit: 'grapheme', maxLength: Math.floor(maxLength / 10) }) },
    { weight: 2, arbitrary: fc.constantFrom(...ODD_TEXTS.filter((text) => text.length <= maxLength)) },
  );

/** One of the ways to write a string: as JSON.stringify does, as json_encode of PHP does, or every unit escaped. */
const written = (text: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(text, fc.constantFrom('short', 'php', 'escaped')).map(([value, how]) => {
    if (how === 'short') return JSON.stringify(value);
    const asEscape = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
    if (how === 'escaped') return `"${value.replace(/[\s\S]/g, asEscape)}"`;
    return JSON.stringify(value)
      .replaceAll('/', '\\/')
      .replace(/[\u0080-\uffff]/g, asEscape);
  });

const number = fc.oneof(
  fc.constantFrom(...ODD_NUMBERS, ...LONG_NUMBERS),
  fc.maxSafeInteger().map(String),
  fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .filter((value) => !Number.isInteger(value))
    .map((value) => JSON.stringify(value)),
);
const blank = fc.constantFrom('', '', '', ' ', '\n', '\t\r\n  ');
const name = fc
  .oneof(fc.constantFrom(...ODD_NAMES), anyText(12))
  // What no reader of PHP can take; refused, see data-text.ts.
  .filter((text) => !text.startsWith('\u0000'));

const { object } = fc.letrec<{ value: string; object: string; list: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('null', 'true', 'false'),
    number,
    written(anyText(20)),
    tie('list'),
    tie('object'),
  ),
  list: fc
    .tuple(fc.array(tie('value'), { maxLength: 4 }), blank)
    .map(([values, gap]) => `[${gap}${values.join(`${gap},${gap}`)}${gap}]`),
  object: fc
    .tuple(
      fc.uniqueArray(name, { maxLength: 5 }),
      fc.array(tie('value'), { minLength: 5, maxLength: 5 }),
      blank,
    )
    .map(([names, values, gap]) => {
      const members = names.map(
        (each, index) => `${gap}${JSON.stringify(each)}${gap}:${gap}${values[index]}`,
      );
      return `{${members.join(',')}${gap}}`;
    }),
}));

export const anyData: fc.Arbitrary<string> = object.filter((text) => Buffer.byteLength(text) <= 8000);

export const anyMessage: fc.Arbitrary<AnyMessage> = fc
  .record({
    title: anyText(200),
    content: anyText(500),
    url: fc.option(anyText(100).filter((text) => text !== '')),
    data: fc.option(anyData),
  })
  .filter(({ title, content }) => title !== '' || content !== '');

/** The call's body as JSON. */
export function jsonOf({ data, ...rest }: AnyMessage, more: Readonly<Record<string, unknown>>): string {
  const text = JSON.stringify({ ...more, ...rest });
  return data === null ? text : `${text.slice(0, -1)},"data":${data}}`;
}

/** The same as a form. */
export function formOf(
  { title, content, url, data }: AnyMessage,
  more: Readonly<Record<string, string>>,
): string {
  const fields = {
    ...more,
    title,
    content,
    ...(url === null ? {} : { url }),
    ...(data === null ? {} : { data }),
  };
  return Object.entries(fields)
    .map(([field, value]) => `${field}=${encodeURIComponent(value)}`)
    .join('&');
}

/** What of a message its readers must get, with `data` read strictly. */
export function meantBy({ title, content, url, data }: AnyMessage): Record<string, unknown> {
  return {
    title,
    content,
    ...(url === null ? {} : { url }),
    ...(data === null ? {} : { data: readStrictly(data) }),
  };
}

/** The same of the items in a frame's text, by their ids. */
export function itemsIn(frame: string): Map<string, Record<string, unknown>> {
  const items = elementsOf(memberOf(memberOf(readStrictly(frame), 'body'), 'items'));
  return new Map(items.map((item) => [textOf(memberOf(item, 'id')) ?? '', contentsOf(item)]));
}

/** What it says, out of an item or of the store's text. */
export function contentsOf(item: Strict): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const field of ['title', 'content', 'url']) {
    const text = textOf(memberOf(item, field));
    if (text !== undefined) found[field] = text;
  }
  const data = memberOf(item, 'data');
  return data === undefined ? found : { ...found, data };
}
