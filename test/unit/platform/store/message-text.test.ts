import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bodyText, parseBody } from '../../../../src/platform/store/message-text.js';
import type { DataText } from '../../../../src/shared/domain/message.js';
import { dataText } from '../../../../src/shared/protocol/data-text.js';
import { anyMessage } from '../../../support/any-message.js';
import { readStrictly } from '../../../support/strict-json.js';

test('the store’s text of any message says what the message says', () => {
  fc.assert(
    fc.property(anyMessage, ({ data: written, url, ...texts }) => {
      const data = written === null ? null : (dataText(written) as DataText);
      const text = bodyText({ ...texts, url, data });
      JSON.parse(text);
      expect(parseBody(text)).toEqual({
        ...texts,
        ...(url === null ? {} : { url }),
        ...(data === null ? {} : { data }),
      });
    }),
  );
});

test('what stands in it since halves of characters were accepted is mended, and nothing else is touched', () => {
  const of = (data: string) => parseBody(`{"title":"t","content":"","data":${data}}`).data ?? '';
  expect(of('{"a":"cut \\ud83d","n":1.0}')).toBe('{"a":"cut \ufffd","n":1}');
  readStrictly(of('{"cut \\ud83d":["\\ude00"]}'));
  for (const data of ['{"a":"\\\\ud83d","n":1.0}', '{"n":-0,"k":1,"k":2}', '{}']) expect(of(data)).toBe(data);
});

test('a text that was cut anywhere, or spoiled, is refused, and never becomes part of a frame', () => {
  const text = bodyText({ title: 'b', content: 'c', url: null, data: '{"a":[1,{"b":"x"}]}' as DataText });
  for (let length = 0; length < text.length; length += 1) {
    expect(() => parseBody(text.slice(0, length))).toThrow(SyntaxError);
  }
  expect(() => parseBody(text.replace('[1,', '[1 '))).toThrow(SyntaxError);
});
