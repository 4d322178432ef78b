import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isSpushError } from '../../../../src/shared/base/errors.js';
import { RawJson } from '../../../../src/shared/base/raw-json.js';
import { KINDS, type Kind } from '../../../../src/shared/domain/kind.js';
import { type CallError, ERRORS_MAX, parseKick, parsePush } from '../../../../src/shared/protocol/api.js';

function faultsOf(kind: Kind, body: unknown): readonly CallError[] {
  try {
    parsePush(kind, body);
  } catch (error) {
    if (isSpushError(error, 'BAD_REQUEST')) return error.detail['errors'] as CallError[];
    throw error;
  }
  return [];
}

function textOf(kind: Kind, body: unknown): string {
  try {
    parsePush(kind, body);
  } catch (error) {
    if (isSpushError(error)) return error.message;
    throw error;
  }
  return '';
}

const message = { uid: 1, title: 'x' };

describe('a message', () => {
  test('needs a user and a title or a content', () => {
    expect(parsePush('comment', message)).toEqual([message]);
    expect(parsePush('comment', { uids: [1, 2], content: 'y' })).toHaveLength(1);
    expect(faultsOf('comment', { uid: 1 })).toEqual([
      { index: 0, path: 'title', message: 'expected title or content, got neither' },
    ]);
    expect(faultsOf('comment', { uid: 1, title: '', content: '' })).toHaveLength(1);
    expect(faultsOf('userNotice', { title: 'x' })[0]?.path).toBe('uid');
    expect(faultsOf('userNotice', { ...message, uids: [2] })[0]?.message).toContain('got both');
  });

  test.each([
    0,
    -1,
    1.5,
    2 ** 53,
    Number.NaN,
    true,
    {},
    [1],
    '0',
    '-1',
    '+1',
    '01',
    ' 1',
    '1 ',
    '1.0',
    '1e3',
    '0x1',
    '１',
    '9007199254740992',
    '99999999999999999999',
    '',
  ])('has no user %j', (uid) => {
    expect(faultsOf('comment', { uid, title: 'x' })[0]?.path).toBe('uid');
    expect(faultsOf('comment', { uids: [1, uid], title: 'x' })[0]?.path).toBe('uids.1');
  });

  test('takes decimal text for a number, as PHP sends what it read from a database', () => {
    const [parsed] = parsePush('comment', { uid: '176906', title: 'x', expire: '3600' });
    expect(parsed).toMatchObject({ uid: 176_906, expire: 3600 });
    expect(parsePush('comment', { uids: ['1', 2, '9007199254740991'], title: 'x' })[0]?.uids).toEqual([
      1,
      2,
      Number.MAX_SAFE_INTEGER,
    ]);
    for (const expire of ['0', '1.5', '31536001', ' 60', '6e1', '']) {
      expect(faultsOf('comment', { ...message, expire })[0]?.path).toBe('expire');
    }
  });

  test('for everybody has no users: it is refused, not sent to all', () => {
    expect(parsePush('systemNotice', { title: 'x', uid: null })).toHaveLength(1);
    for (const users of [{ uid: 5 }, { uids: [5] }, { uid: 0 }, { uids: [] }, { uid: '5' }]) {
      expect(textOf('systemNotice', { title: 'x', ...users })).toContain('/api/notice/userMessage');
    }
  });

  test('takes null for every optional field, as PHP writes it', () => {
    const empty = { uids: null, content: null, url: null, data: null, id: null, deliver: null };
    expect(parsePush('comment', { ...message, ...empty, expire: null, collapse: null })).toHaveLength(1);
  });

  test('counts characters, not halves of them', () => {
    expect(parsePush('comment', { uid: 1, title: '😀'.repeat(200) })).toHaveLength(1);
    expect(faultsOf('comment', { uid: 1, title: '😀'.repeat(201) })[0]?.path).toBe('title');
    expect(faultsOf('comment', { uid: 1, title: 'x'.repeat(201) })[0]?.path).toBe('title');
    expect(parsePush('comment', { uid: 1, content: 'x'.repeat(8000) })).toHaveLength(1);
    expect(faultsOf('comment', { uid: 1, content: 'x'.repeat(8001) })[0]?.path).toBe('content');
  });

  test('names the bad field and its value, cut', () => {
    const bad = { uid: 'x'.repeat(500), title: 7, id: '', deliver: 'later', expire: 0, collapse: 'a\nb' };
    const faults = faultsOf('comment', bad);
    expect(faults.map(({ path }) => path)).toEqual(['uid', 'title', 'id', 'deliver', 'expire', 'collapse']);
    for (const { message } of faults) expect(message.length).toBeLessThan(120);
    expect(textOf('comment', bad)).toContain('(and 5 more, see data.errors); nothing was changed');
  });

  test('ignores fields it does not know', () => {
    expect(parsePush('comment', { ...message, timestamp: 1, token: 'x' })).toEqual([message]);
  });

  test.each([
    'title',
    'content',
    'url',
    'id',
    'collapse',
  ])('refuses half a character in %s: it has no form in UTF-8', (field) => {
    for (const half of ['cut \ud83d', '\ude00 cut', '\ude00\ud83d']) {
      expect(faultsOf('comment', { ...message, [field]: half })).toEqual([
        { index: 0, path: field, message: expect.stringContaining('half of a surrogate pair') },
      ]);
    }
  });

  test.each(['title', 'content', 'url'])('keeps controls and non-characters in %s', (field) => {
    const text = '\u0000\u0007\u007f\u0085\u2028\ufeff\ufffe\uffff\u{10ffff}';
    expect(parsePush('comment', { ...message, [field]: text })[0]).toMatchObject({ [field]: text });
  });
});

/** What a body's `data` is to the schemas. */
const raw = (text: string) => new RawJson(text);

describe('data', () => {
  test('is carried as the text that it came in', () => {
    const text = '{"__proto__":{"a":1},"2":1.0,"1":-0}';
    expect(parsePush('comment', { ...message, data: raw(text) })[0]?.data).toBe(text);
    expect(parsePush('comment', { ...message, data: raw('[]') })[0]?.data).toBe('{}');
    expect(parsePush('comment', { ...message, data: null })[0]?.data).toBeNull();
  });

  test('that is refused is named down to the member, in a batch too', () => {
    const bad = { ...message, data: raw('{"list":[{"id":7301234567890123456}]}') };
    expect(faultsOf('comment', bad)[0]).toMatchObject({ index: 0, path: 'data.list.0.id' });
    expect(faultsOf('comment', { messages: [message, bad] })[0]).toMatchObject({
      index: 1,
      path: 'data.list.0.id',
    });
    for (const text of ['"x"', '1', 'true', '[1]']) {
      expect(faultsOf('comment', { ...message, data: raw(text) })[0]?.path).toBe('data');
    }
  });

  test('that was parsed is not taken: it has lost what parsing loses', () => {
    for (const data of [{}, { a: 1 }, [], 'x', 1]) {
      expect(faultsOf('comment', { ...message, data })[0]?.path).toBe('data');
    }
  });

  test('prototype keys of a message are none of its fields', () => {
    const [parsed] = parsePush(
      'comment',
      JSON.parse('{"uid":1,"title":"x","__proto__":{"uid":9,"url":"u"}}'),
    );
    expect(parsed).toEqual(message);
    expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype);
  });
});

describe('a batch', () => {
  test('has 1 to 1,000 messages', () => {
    expect(parsePush('comment', { messages: Array(1000).fill(message) })).toHaveLength(1000);
    expect(textOf('comment', { messages: Array(1001).fill(message) })).toContain('1001');
    for (const messages of [[], null, 'x', {}, 5]) {
      expect(faultsOf('comment', { messages })[0]?.path).toBe('messages');
    }
  });

  test('is refused whole, naming which message is bad', () => {
    const messages = [message, { uid: 1 }, message, { uid: -1, title: 'x' }];
    expect(faultsOf('comment', { messages }).map(({ index, path }) => [index, path])).toEqual([
      [1, 'title'],
      [3, 'uid'],
    ]);
    expect(textOf('comment', { messages })).toMatch(/^messages\[1\] title: /);
  });

  test('tells a bounded number of faults', () => {
    expect(faultsOf('comment', { messages: Array(1000).fill(null) })).toHaveLength(ERRORS_MAX);
    expect(faultsOf('comment', { uids: Array(1000).fill('x'), title: 'x' })).toHaveLength(ERRORS_MAX);
  });

  test('with too many users is refused before they are looked at', () => {
    expect(faultsOf('comment', { uids: Array(300_000).fill('x'), title: 'x' })).toEqual([
      { index: 0, path: 'uids', message: 'expected at most 1000 user ids, got 300000' },
    ]);
  });
});

test('a kick names a user', () => {
  expect(parseKick({ uid: 5 })).toEqual({ uid: 5, reason: '' });
  expect(parseKick({ uid: 5, reason: 'spam' })).toEqual({ uid: 5, reason: 'spam' });
  expect(parseKick({ uid: '5' }).uid).toBe(5);
  const reasons = ['x'.repeat(201), 'cut \ud83d'].map((reason) => ({ uid: 5, reason }));
  for (const body of [{}, null, [], { uid: 0 }, { uid: '0' }, { uid: '05' }, ...reasons, 'x']) {
    expect(() => parseKick(body)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  }
});

test('whatever comes in, the parser answers or refuses, with bounded faults', () => {
  const anything = fc.oneof(
    fc.jsonValue({ maxDepth: 6 }),
    fc.record(
      {
        uid: fc.oneof(fc.integer(), fc.jsonValue()),
        uids: fc.oneof(fc.array(fc.integer()), fc.jsonValue()),
        title: fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue()),
        content: fc.jsonValue(),
        data: fc.object({ withNullPrototype: true, withBigInt: false }),
        id: fc.string({ unit: 'binary' }),
        deliver: fc.jsonValue(),
        expire: fc.double(),
        collapse: fc.anything(),
      },
      { requiredKeys: [] },
    ),
    fc.record({ messages: fc.array(fc.jsonValue()) }),
  );
  fc.assert(
    fc.property(fc.constantFrom(...KINDS), anything, (kind, body) => {
      const faults = faultsOf(kind, body);
      expect(faults.length).toBeLessThanOrEqual(ERRORS_MAX);
      expect(JSON.stringify(faults).length).toBeLessThan(20_000);
    }),
    { numRuns: 500 },
  );
});
