import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RawJson } from '../../../../src/shared/base/raw-json.js';
import type { DataText, MessageItem } from '../../../../src/shared/domain/message.js';
import { dataText } from '../../../../src/shared/protocol/data-text.js';
import { eventText, itemsText, pushText, replyText } from '../../../../src/shared/protocol/ws-frames.js';
import { anyMessage, itemsIn, meantBy } from '../../../support/any-message.js';
import { idOf, itemFor } from '../../../support/messages.js';
import { readStrictly } from '../../../support/strict-json.js';

const head = { cmd: 'list', id: '7', ts: 1, code: 200, msg: 'ok' };

describe('a frame', () => {
  test('of any messages can be read strictly, and says what they say', () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { maxLength: 5 }), (messages) => {
        const items = messages.map(
          ({ url, data, ...texts }, n): MessageItem => ({
            ...itemFor(7, n),
            ...texts,
            ...(url === null ? {} : { url }),
            ...(data === null ? {} : { data: dataText(data) as DataText }),
          }),
        );
        const meant = new Map(messages.map((message, n) => [idOf(n), meantBy(message)]));
        expect(itemsIn(pushText(1, { items }))).toEqual(meant);
        const page = new RawJson(`{"items":${itemsText(items)},"next":null}`);
        expect(itemsIn(replyText({ ...head, body: page }))).toEqual(meant);
      }),
    );
  });

  test('has all of a message, whatever else its item holds', () => {
    const data = '{"n":1.0}' as DataText;
    const item = { ...itemFor(7, 1), url: '/a', data, read: true };
    expect(JSON.parse(pushText(5, { items: [item, itemFor(null, 2)], more: true }))).toEqual({
      cmd: 'push',
      id: '',
      ts: 5,
      code: 200,
      msg: 'ok',
      body: { items: [{ ...item, data: { n: 1 } }, itemFor(null, 2)], more: true },
    });
    expect(pushText(5, { items: [item] })).toContain('"data":{"n":1.0}');
    expect(pushText(5, { items: [item] })).not.toContain('more');
  });

  test('has no half of a character, whatever words of others it repeats', () => {
    const texts = [
      replyText({ ...head, msg: 'cut \ud83d', body: { errors: [{ path: 'a\ude00', message: '\ud83d' }] } }),
      replyText({ ...head, msg: 'cut \ud83d', body: new RawJson('{"n":1.0}') }),
      eventText('bye', 1, { reason: 'cut \ud83d', retryAfter: null }),
    ];
    for (const text of texts) {
      readStrictly(text);
      expect(text).toContain('cut \ufffd');
    }
  });
});
