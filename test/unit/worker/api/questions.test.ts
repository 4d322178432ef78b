import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { MessageStatus } from '../../../../src/shared/domain/message.js';
import { firstIdOf } from '../../../../src/shared/domain/message-id.js';
import type { SessionSummary } from '../../../../src/shared/domain/session.js';
import { RawSocket } from '../../../support/raw-socket.js';
import { ApiHarness } from './api-harness.js';

let api: ApiHarness;

beforeAll(async () => {
  api = await ApiHarness.open();
});

afterAll(() => api.close());

beforeEach(() => {
  api.asked = [];
  api.answers = { answers: [], silent: [] };
});

describe('a message’s state', () => {
  const id = firstIdOf(Date.UTC(2026, 0, 1));
  const status: MessageStatus = {
    id,
    kind: 'comment',
    uid: 5,
    state: 'acked',
    deliver: 'now',
    createdAt: 1,
    expiresAt: 2,
    sentAt: 3,
    ackedAt: 4,
    readAt: null,
  };

  test('is told with its times', async () => {
    api.statuses.set(id, status);
    const answer = await api.call(`/api/message/${id}`);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ code: 200, msg: 'success', data: status });
    expect((await api.call(`/api/message/${id}/`)).status).toBe(200);
  });

  test('of an unknown message is 404, of what is no id 400', async () => {
    expect((await api.call(`/api/message/${firstIdOf(Date.UTC(2027, 0, 1))}`)).status).toBe(404);
    for (const bad of ['5', 'abc', '9999999999999999999', '%00', '..%2f..%2fx', 'x'.repeat(2000), '1.5']) {
      const answer = await api.call(`/api/message/${bad}`);
      expect(answer.status).toBe(400);
      expect(answer.body.msg.length).toBeLessThan(120);
    }
  });

  test('is told to HEAD without a body', async () => {
    const answer = await api.call(`/api/message/${id}`, { method: 'HEAD' });
    expect(answer.status).toBe(200);
    expect(Number(answer.headers.get('content-length'))).toBeGreaterThan(50);
  });
});

describe('a user', () => {
  const connection = (worker: string): SessionSummary => ({
    session: `s${worker}`,
    channel: 'web',
    device: 'phone',
    since: 1,
    node: 'a',
    worker,
  });

  test('is online with the connections of all Workers', async () => {
    api.answers = {
      answers: [
        { from: 'Worker.0', result: { connections: [connection('0')] } },
        { from: 'Worker.1', result: { connections: [] } },
        { from: 'Worker.2', result: { connections: [connection('2')] } },
      ],
      silent: [],
    };
    const { status, body } = await api.call('/api/user/176906');
    expect(status).toBe(200);
    expect(body.data).toEqual({
      uid: 176_906,
      online: true,
      connections: [connection('0'), connection('2')],
    });
    expect(api.asked).toEqual([{ question: 'online', args: { uid: 176_906 } }]);
  });

  test('has each connection once, also while two Workers tell of it', async () => {
    const twice = { result: { connections: [connection('0')] } };
    api.answers = {
      answers: [
        { from: 'Worker.0', ...twice },
        { from: 'Worker.1', ...twice },
      ],
      silent: [],
    };
    const { body } = await api.call('/api/user/5');
    expect(body.data.connections).toEqual([connection('0')]);
  });

  test('is told as far as known, naming who was silent', async () => {
    api.answers = { answers: [], silent: ['Worker.1'] };
    const { body } = await api.call('/api/user/5');
    expect(body.data).toEqual({ uid: 5, online: false, connections: [], silent: ['Worker.1'] });
  });

  test.each([
    '0',
    '-5',
    '05',
    'abc',
    '1e3',
    '9007199254740993',
    '99999999999999999999',
  ])('%s is none', async (uid) => {
    expect((await api.call(`/api/user/${uid}`)).status).toBe(400);
  });

  test('is kicked everywhere', async () => {
    api.answers = {
      answers: [
        { from: 'Worker.0', result: { closed: 2 } },
        { from: 'Worker.1', result: { closed: 1 } },
      ],
      silent: ['Worker.2'],
    };
    const { status, body } = await api.post('/api/user/kick', { uid: 802, reason: 'account closed' });
    expect(status).toBe(200);
    expect(body.data).toEqual({ uid: 802, closed: 3, silent: ['Worker.2'] });
    expect(api.asked).toEqual([{ question: 'kick', args: { uid: 802, reason: 'account closed' } }]);
    expect((await api.form('/api/user/kick', { uid: '5' })).status).toBe(200);
    expect((await api.post('/api/user/kick', { uid: '6' })).status).toBe(200);
    expect((await api.post('/api/user/kick', { uid: '06' })).status).toBe(400);
    expect((await api.post('/api/user/kick', '{"uid":7,"uid":8}')).status).toBe(400);
    expect(api.asked.map(({ args }) => args)).toMatchObject([{ uid: 802 }, { uid: 5 }, { uid: 6 }]);
  });
});

describe('paths', () => {
  test.each([
    ['GET', '/api/comment/message', 'POST'],
    ['PUT', '/api/user/kick', 'POST'],
    ['POST', '/api/user/5', 'GET, HEAD'],
    ['DELETE', '/healthz', 'GET, HEAD'],
    ['OPTIONS', '/metrics', 'GET, HEAD'],
  ])('%s %s is 405: it takes %s', async (method, path, allowed) => {
    const answer = await api.call(path, { method });
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe(allowed);
    expect(answer.body.code).toBe(405);
  });

  test.each([
    '/',
    '/api',
    '/api/comment',
    '/api/comment/message/x',
    '/api/message/',
    '//healthz',
    '/__proto__',
    '/%',
  ])('%s is 404', async (path) => {
    const answer = await api.call(path);
    expect(answer.status).toBe(404);
    expect(answer.body).toMatchObject({ code: 404, data: {} });
  });

  test.each(['http://elsewhere/healthz', '*'])('%s is no path of ours', async (target) => {
    const raw = await RawSocket.open(api.port);
    raw.socket.write(`OPTIONS ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    await raw.until(() => raw.text.includes('HTTP/1.1 404 '));
    raw.destroy();
  });

  test('are counted by pattern, not by what was asked for', async () => {
    await api.call('/api/user/12345');
    await api.call('/nobody-knows-this');
    const page = await api.metrics.registry.metrics();
    expect(page).toContain('path="/api/user/:uid",status="200"');
    expect(page).toContain('path="unknown",status="404"');
    expect(page).not.toContain('12345');
    expect(page).not.toContain('nobody-knows-this');
  });
});
