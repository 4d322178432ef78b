/** What comes in is what goes out, up to the store's door: any message, as JSON, as a form, in batches; and what is refused. */
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { bodyText } from '../../../../src/platform/store/message-text.js';
import type { NewMessage } from '../../../../src/shared/domain/message.js';
import { anyMessage, contentsOf, formOf, jsonOf, meantBy } from '../../../support/any-message.js';
import { readStrictly } from '../../../support/strict-json.js';
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

const stored = (message: NewMessage) => contentsOf(readStrictly(bodyText(message)));

describe('any message', () => {
  test('as JSON and as a form is stored as it was meant', async () => {
    await fc.assert(
      fc.asyncProperty(anyMessage, async (message) => {
        api.accepted.length = 0;
        expect((await api.post(USER, jsonOf(message, { uid: 5 }))).body.msg).toBe('success');
        expect((await api.form(USER, formOf(message, { uid: '5' }))).body.msg).toBe('success');
        expect(api.accepted.map(stored)).toEqual([meantBy(message), meantBy(message)]);
      }),
      { numRuns: 300 },
    );
  });

  test('in a batch, as JSON and in a form, is stored as it was meant', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyMessage, { minLength: 1, maxLength: 5 }), async (messages) => {
        api.accepted.length = 0;
        const batch = `[${messages.map((message) => jsonOf(message, { uids: ['6', 7] })).join(' ,\n')}]`;
        expect((await api.post(USER, `{ "messages" : ${batch} }`)).body.msg).toBe('success');
        expect((await api.form(USER, { messages: batch })).body.msg).toBe('success');
        const meant = messages.flatMap((message) => [meantBy(message), meantBy(message)]);
        expect(api.accepted.map(stored)).toEqual([...meant, ...meant]);
        expect(api.accepted.map(({ uid }) => uid)).toEqual(meant.concat(meant).map((_, at) => 6 + (at % 2)));
      }),
      { numRuns: 100 },
    );
  });
});

/** A message with one thing in it that cannot be carried, as JSON text, and the path that has to be named. */
const half = fc.constantFrom('\\ud83d', '\\ude00', '\\ude00\\ud83d', '\\uD83D\\u0041');
const spoiled = fc.oneof(
  fc
    .tuple(fc.constantFrom('title', 'content', 'url', 'id', 'collapse'), fc.string(), half)
    .map(([field, text, bad]) => ({
      path: field,
      members: `"${field}":${JSON.stringify(text).slice(0, -1)}${bad}"`,
    })),
  fc
    .tuple(
      fc.constantFrom('__proto__', 'a', '', '0'),
      fc.oneof(
        fc.constantFrom('1e309', '-1e400', '9007199254740992', '-12345678901234567890', '{"b":1,"b":2}'),
        half.map((bad) => `"x${bad}"`),
      ),
      fc.nat(5),
    )
    .map(([name, bad, depth]) => ({
      path: ['data', ...Array(depth).fill('0'), name, ...(bad.startsWith('{') ? ['b'] : [])].join('.'),
      members: `"data":${'{"0":'.repeat(depth)}{"${name}":${bad}}${'}'.repeat(depth)}`,
    })),
  fc
    .constantFrom('uid', 'uids', 'expire', 'deliver')
    .map((field) => ({ path: field, members: `"${field}":{}` })),
  fc
    .constantFrom('title', 'data', 'x')
    .map((field) => ({ path: field, members: `"${field}":null,"${field}":null` })),
);

test('what cannot be carried is refused, named, and nothing of its batch is stored', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(3), fc.nat(3), spoiled, async (before, behind, { path, members }) => {
      api.accepted.length = 0;
      const good = '{"uid":5,"title":"good","data":{"a":1}}';
      const bad = `{${members.includes('"uid') ? '' : '"uid":5,'}${members.includes('"title"') ? '' : '"title":"t",'}${members}}`;
      const batch = [...Array(before).fill(good), bad, ...Array(behind).fill(good)].join(',');
      for (const answer of [
        await api.post(USER, `{"messages":[${batch}]}`),
        await api.form(USER, { messages: `[${batch}]` }),
      ]) {
        expect(answer.status).toBe(400);
        const errors = answer.body.data['errors'] as { index: number; path: string }[];
        expect(errors.map(({ index, path: where }) => [index, where])).toContainEqual([before, path]);
      }
      expect(api.accepted).toEqual([]);
    }),
    { numRuns: 300 },
  );
});
