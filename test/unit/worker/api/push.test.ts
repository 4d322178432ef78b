import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { SpushError } from '../../../../src/shared/base/errors.js';
import { ApiHarness } from './api-harness.js';

const COMMENT = '/api/comment/message';
const USER = '/api/notice/userMessage';
const SYSTEM = '/api/notice/systemMessage';

let api: ApiHarness;

beforeAll(async () => {
  api = await ApiHarness.open();
});

afterAll(() => api.close());

beforeEach(() => {
  api.accepted.length = 0;
  api.fault = null;
});

describe('a push', () => {
  test('is accepted with all its fields', async () => {
    const answer = await api.post(COMMENT, {
      uid: 5,
      title: 't',
      content: 'c',
      url: '/novel/7',
      data: { a: 1 },
      id: 'key',
      deliver: 'cron',
      expire: 60,
      collapse: 'article-7',
    });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      code: 200,
      msg: 'success',
      data: { accepted: 1, duplicates: 0, ids: [expect.stringMatching(/^\d{19}$/)] },
    });
    expect(api.accepted).toEqual([
      {
        kind: 'comment',
        uid: 5,
        title: 't',
        content: 'c',
        url: '/novel/7',
        data: '{"a":1}',
        callerId: 'key',
        collapse: 'article-7',
        deliver: 'cron',
        createdAt: api.clock.now(),
        expiresAt: api.clock.now() + 60_000,
      },
    ]);
  });

  test('takes defaults from the configuration of now', async () => {
    const before = api.config;
    await api.post(COMMENT, { uid: 5, title: 't' });
    api.config = {
      ...before,
      system: { ...before.system, ExpireSeconds: 10, Deliver: { ...before.system.Deliver, comment: 'cron' } },
    };
    await api.post(COMMENT, { uid: 5, title: 't' });
    api.config = before;
    expect(api.accepted.map(({ deliver, expiresAt, createdAt }) => [deliver, expiresAt - createdAt])).toEqual(
      [
        ['now', 604_800_000],
        ['cron', 10_000],
      ],
    );
    expect(api.accepted[0]).toMatchObject({
      content: '',
      url: null,
      data: null,
      callerId: null,
      collapse: null,
    });
  });

  test.each([
    [COMMENT, 'comment', 5],
    [USER, 'userNotice', 5],
    [SYSTEM, 'systemNotice', undefined],
  ])('to %s is a %s, with and without a slash at the end', async (path, kind, uid) => {
    for (const url of [path, `${path}/`, `${path}?a=1`]) {
      expect((await api.post(url, { uid, title: 't' })).status).toBe(200);
    }
    expect(api.accepted.map((message) => message.kind)).toEqual([kind, kind, kind]);
    expect(api.accepted[0]?.uid).toBe(uid ?? null);
  });

  test('to several users is one message each, in order, a user named twice once', async () => {
    const { body } = await api.post(USER, { uids: [3, 1, 3, 2, 1], title: 't' });
    expect(api.accepted.map(({ uid }) => uid)).toEqual([3, 1, 2]);
    expect(body.data).toMatchObject({ accepted: 3 });
  });

  test('batch lists at most 1,000 ids and says so', async () => {
    const uids = Array.from({ length: 501 }, (_, n) => n + 1);
    const { body } = await api.post(USER, {
      messages: [
        { uids, title: 'a' },
        { uids, title: 'b' },
      ],
    });
    expect(body.data).toMatchObject({ accepted: 1002, idsTruncated: true });
    expect(body.data['ids']).toHaveLength(1000);
  });

  test('to a system path with a user is refused, and nobody gets it', async () => {
    const { status, body } = await api.post(SYSTEM, { uid: 5, title: 'personal' });
    expect(status).toBe(400);
    expect(body.msg).toContain('everybody');
    expect(api.accepted).toEqual([]);
  });

  test('with one bad message of many stores none', async () => {
    const { status, body } = await api.post(USER, { messages: [{ uid: 1, title: 'x' }, { uid: 0 }] });
    expect(status).toBe(400);
    expect(body).toEqual({
      code: 400,
      msg: expect.stringContaining('messages[1]'),
      data: {
        errors: [
          { index: 1, path: 'uid', message: expect.any(String) },
          { index: 1, path: 'title', message: expect.any(String) },
        ],
      },
    });
    expect(api.accepted).toEqual([]);
  });

  test('of 1,001 messages is refused whole', async () => {
    const messages = Array.from({ length: 1001 }, () => ({ uid: 1, title: 'x' }));
    expect((await api.post(USER, { messages })).status).toBe(400);
    expect((await api.post(USER, { messages: messages.slice(1) })).status).toBe(200);
    expect(api.accepted).toHaveLength(1000);
  });

  test('of more than 100,000 messages times users is refused with 413', async () => {
    const uids = Array.from({ length: 1000 }, (_, n) => n + 1);
    const messages = Array.from({ length: 101 }, () => ({ uids, title: 'x' }));
    const { status, body } = await api.post(USER, { messages });
    expect(status).toBe(413);
    expect(body.msg).toContain('101000');
    expect(api.accepted).toEqual([]);
  });
});

describe('a store that cannot keep it', () => {
  test.each([
    ['STORE_UNAVAILABLE', 503, '5'],
    ['STORE_BUSY', 503, '1'],
    ['SHUTTING_DOWN', 503, '1'],
    ['RPC_TIMEOUT', 503, '5'],
  ] as const)('%s answers %i with Retry-After %s', async (code, status, retryAfter) => {
    api.fault = new SpushError(code, 'the disk is full');
    const answer = await api.post(USER, { uid: 1, title: 'x' });
    expect(answer.status).toBe(status);
    expect(answer.body).toEqual({ code: status, msg: 'the disk is full', data: {} });
    expect(answer.headers.get('retry-after')).toBe(retryAfter);
  });

  test('is told to strangers without where it is; the log has that', async () => {
    const outside = await ApiHarness.open({ api: { opsAllow: ['203.0.113.9'] } });
    onTestFinished(() => outside.close());
    const error = new SpushError('STORE_UNAVAILABLE', 'the store /srv/x.db of root@10.0.0.5', {
      detail: { file: '/srv/x.db' },
    });
    outside.fault = error;
    const message = { uid: 1, title: 'x' };
    const answer = await outside.post(USER, message);
    expect(answer.body).toEqual({
      code: 503,
      msg: 'the store cannot be reached at the moment: nothing was accepted, try again',
      data: {},
    });
    expect(outside.logged.find((line) => line.startsWith('api.unavailable'))).toContain('/srv/x.db');
  });

  test('by a fault of ours answers 500 and tells the log, not the caller, what it was', async () => {
    api.fault = Object.assign(new Error('secret detail'), { code: 'ENOENT', status: 200 });
    const answer = await api.post(USER, { uid: 1, title: 'x' });
    expect(answer.status).toBe(500);
    expect(JSON.stringify(answer.body)).not.toContain('secret detail');
    const ref = String(answer.body.data['ref']);
    expect(api.logged.find((line) => line.includes(ref))).toContain('secret detail');
  });
});
