import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { isSpushError } from '../../../../src/shared/base/errors.js';
import { parseForm } from '../../../../src/worker/api/form.js';
import { parseJson } from '../../../../src/worker/api/json-text.js';
import { ApiHarness } from './api-harness.js';

const USER = '/api/notice/userMessage';

let api: ApiHarness;

beforeAll(async () => {
  api = await ApiHarness.open();
});

afterAll(() => api.close());

beforeEach(() => {
  api.accepted.length = 0;
});

describe('a form', () => {
  test('pushes as JSON does', async () => {
    const { status } = await api.form(USER, {
      uid: '5',
      title: 'Grüße & mehr',
      content: '你好 + 1',
      data: '{"article":7}',
      expire: '60',
      deliver: 'cron',
      id: '17',
      collapse: '5',
    });
    expect(status).toBe(200);
    expect(api.accepted[0]).toMatchObject({
      uid: 5,
      title: 'Grüße & mehr',
      content: '你好 + 1',
      data: '{"article":7}',
      deliver: 'cron',
      callerId: '17',
      collapse: '5',
      expiresAt: api.clock.now() + 60_000,
    });
  });

  test('carries a batch as JSON text', async () => {
    const messages = JSON.stringify([
      { uid: 1, title: 'a' },
      { uids: [2, 3], title: 'b' },
    ]);
    expect((await api.form(USER, { messages })).status).toBe(200);
    expect(api.accepted.map(({ uid }) => uid)).toEqual([1, 2, 3]);
  });

  test.each([
    'uids=1,2,3',
    'uids=%5B1,2,3%5D',
    'uids%5B%5D=1&uids%5B%5D=2&uids%5B%5D=3',
    'uids[0]=1&uids[1]=2&uids[2]=3',
    'uids[4]=1&uids[7]=2&uids[30]=3',
    'uids=1,+2,+3',
    'uids=%5B%221%22,2,%223%22%5D',
  ])('names several users as %s', async (uids) => {
    expect((await api.form(USER, `${uids}&title=x`)).status).toBe(200);
    expect(api.accepted.map(({ uid }) => uid)).toEqual([1, 2, 3]);
  });

  test('with empty optional fields is as without them', async () => {
    const empty = { uids: '', url: '', data: '', id: '', deliver: '', expire: '', collapse: '', content: '' };
    expect((await api.form(USER, { uid: '5', title: 'x', ...empty })).status).toBe(200);
    expect(api.accepted[0]).toMatchObject({ url: null, data: null, callerId: null, collapse: null });
  });

  test.each([
    ['uid=5x&title=x', 'uid'],
    ['uid=05&title=x', 'uid'],
    ['uid=&title=x', 'uid'],
    ['uid=-5&title=x', 'uid'],
    ['uid=+5+&title=x', 'uid'],
    ['uid=0&title=x', 'uid'],
    ['uids=1,,2&title=x', 'uids'],
    ['uid=5&title=x&expire=1.5', 'expire'],
    ['uid=5&title=x&data={', 'data'],
    ['uid=5&title=x&data[a]=1', 'data: expected one field of JSON text (json_encode), got data[a]'],
    ['uid=5&title=x&data[]=1', 'data: '],
    ['messages[0][uid]=5', 'messages: expected one field of JSON text (json_encode)'],
    ['uid=5&content=c&title[0]=x', 'title: expected one value, got a list: title[0]'],
    ['uid=5&content=c&title%5B%5D=x', 'title: '],
    ['uid=5&content=c&title[a][b]=x', 'title: '],
    ['uid=5&content=c&title[=x', 'title: '],
    ['uid[]=5&title=x', 'uid: '],
    ['uid=5&title=x&deliver[0]=cron', 'deliver: '],
    ['uids[a]=5&title=x', 'uids: expected uids[]=1&uids[]=2'],
    ['uids[0][0]=5&title=x', 'uids: '],
    ['uid=5&title=x&title=y', 'title: is there twice'],
    ['uid=&uid=5&title=x', 'uid: is there twice'],
    ['uids[0]=1&uids[0]=2&title=x', 'uids[0]: is there twice'],
    ['uids=1&uids[]=2&title=x', 'uids: is there twice, as uids and as uids[]'],
    ['uid=5&title=x&data={"a":1e400}', 'data.a: the number 1e400'],
    ['uid=5&title=x&data={"a":1,"a":2}', 'data.a: this name is there twice'],
    ['uid=5&title=x&data={"a":"cut+\\ud83d"}', 'data.a: half of a surrogate pair'],
    ['uid=5&title=x&data=[1]', 'data: expected an object'],
    ['messages=[{"uid":1,"uid":2,"title":"x"}]', 'uid: is there twice'],
    ['messages=[{"uid":1,"title":"x"},{"uid":1,"title":"x","data":{"a":1e400}}]', 'messages[1] data.a: '],
    ['uid=5&title=cut+%F0%9F%98', 'title: is not UTF-8'],
    ['uid=5&title=cut+%ED%A0%BD', 'title: is not UTF-8'],
    ['uid=5&title=%E4%BD', 'UTF-8'],
    ['uid=5&title=%zz', 'UTF-8'],
    ['x', 'title'],
  ])('%s is refused, naming %s', async (fields, named) => {
    const { status, body } = await api.form(USER, fields);
    expect(status).toBe(400);
    expect(body.msg).toContain(named);
    expect(api.accepted).toEqual([]);
  });

  test('of too many fields is refused', () => {
    const fields = Array.from({ length: 100_000 }, (_, n) => `a${n}=1`);
    expect(() => parseForm(fields.join('&'))).toThrow('1064 fields');
    expect(() => parseForm('uids[]=1&'.repeat(2000))).toThrow('1064 fields');
  });

  test('of names that it does not know is read without them, lists too', async () => {
    const unknown = 'x[a]=1&x[b]=2&y[]=1&y[]=2&titles[0]=z&=5&[0]=6';
    expect((await api.form(USER, `uid=5&title=x&${unknown}`)).status).toBe(200);
    expect(api.accepted).toMatchObject([{ uid: 5, title: 'x' }]);
  });

  test('never makes prototype keys', () => {
    const fields = parseForm('__proto__=1&constructor=2&uid=5');
    expect(Object.getPrototypeOf(fields)).toBe(Object.prototype);
    expect(Object.keys(fields)).toEqual(['__proto__', 'constructor', 'uid']);
  });

  test('of any text is fields or a refusal', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.webQueryParameters()), (text) => {
        try {
          expect(typeof parseForm(text)).toBe('object');
        } catch (error) {
          expect(isSpushError(error, 'BAD_REQUEST')).toBe(true);
        }
      }),
    );
  });
});

describe('JSON text', () => {
  test('is refused when it is nested too deep, before it is parsed', () => {
    const deep = '['.repeat(1_000_000) + ']'.repeat(1_000_000);
    expect(() => parseJson(deep, 'the body')).toThrow('the body is nested deeper than 64 levels');
    expect(() => parseJson(`{"a":${deep}}`, 'x')).toThrow('deeper');
  });

  test('may have brackets in its strings, and quotes and backslashes too', () => {
    for (const text of ['[{'.repeat(20_000), '\\"['.repeat(20_000), '\\', '"'.repeat(20_000)]) {
      const json = JSON.stringify({ text: [text, text], more: { text } });
      expect(parseJson(json, 'x')).toEqual(JSON.parse(json));
    }
  });

  test('of any value is that value', () => {
    const padding = 'x'.repeat(17_000);
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 20 }), (value) => {
        const json = JSON.stringify([padding, value]);
        expect(JSON.stringify(parseJson(json, 'x'))).toBe(json);
      }),
    );
  });
});
