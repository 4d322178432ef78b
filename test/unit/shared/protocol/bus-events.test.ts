import { describe, expect, test } from 'vitest';
import type { DataText } from '../../../../src/shared/domain/message.js';
import { type BusEvent, busEventText, parseBusEvent } from '../../../../src/shared/protocol/bus-events.js';
import { itemFor } from '../../../support/messages.js';

const parsed = (text: string) => parseBusEvent(JSON.parse(text), text);
const lineOf = (data: string) =>
  `{"t":"push","uid":7,"items":[${JSON.stringify(itemFor(7, 1)).slice(0, -1)},${data}}]}`;

describe('an event on the bus', () => {
  test.each<BusEvent>([
    {
      t: 'push',
      uid: 7,
      items: [itemFor(7, 1), { ...itemFor(7, 2), data: '{"__proto__":1.0}' as DataText }],
    },
    { t: 'push', uid: 7, items: [itemFor(7, 1)], again: true },
    { t: 'notice', item: { ...itemFor(null, 1), url: '/a', data: '{"2":"\u2028\\n","1":-0}' as DataText } },
    { t: 'read', uid: 7, session: 's', n: 'n', mark: { all: true } },
  ])('comes out as it went in: %j', (event) => {
    const text = busEventText(event);
    expect(text).not.toContain('\n');
    expect(parsed(text)).toEqual(event);
  });

  test('has data as an object on the wire, as it always had', () => {
    const event: BusEvent = {
      t: 'push',
      uid: 7,
      items: [{ ...itemFor(7, 1), data: '{"a":[1.0]}' as DataText }],
    };
    expect(JSON.parse(busEventText(event))).toMatchObject({ items: [{ data: { a: [1] } }] });
    expect(parsed(lineOf('"data":{ "a" : [1.0] }'))).toEqual(event);
  });

  test.each([
    '"data":[1]',
    '"data":"{}"',
    '"data":null',
    '"data":1',
    '"data":{"a":1e400}',
    '"data":{"a":"\\ud83d"}',
    '"data":{"a":1,"a":2}',
    `"data":{"a":"${'x'.repeat(9000)}"}`,
    '"d\\u0061ta":{"a":1}',
  ])('is refused with %s', (data) => {
    expect(parsed(lineOf(data))).toMatch(/^items\.0\.data: /);
  });

  test.each([
    'null',
    '[]',
    '"data"',
    '{"t":"push","uid":7,"items":{"data":{}}}',
    '{"t":"push","uid":7,"items":[{"data":{}},[],"data",null]}',
    '{"t":"notice","item":[{"data":{}}]}',
    '{"data":{},"t":"notice","item":null}',
    '{"__proto__":{"t":"read"},"items":[{"data":{}}]}',
  ])('that is %s is refused', (text) => {
    expect(typeof parsed(text)).toBe('string');
  });

  test('named twice in a line is the last one, and its data too', () => {
    const good = JSON.stringify(itemFor(7, 1)).slice(0, -1);
    const text = `{"t":"push","uid":7,"items":[${good},"data":{"a":1}},${good}}],"items":[${good},"data":{"b":1},"data":{"c":1}}]}`;
    expect(parsed(text)).toEqual({ t: 'push', uid: 7, items: [{ ...itemFor(7, 1), data: '{"c":1}' }] });
  });
});
