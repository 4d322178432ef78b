import { createHash, randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { signCall } from '../../../../src/platform/auth/signature.js';
import { RawSocket } from '../../../support/raw-socket.js';
import { ApiHarness, type HarnessOptions } from './api-harness.js';

const PATH = '/api/comment/message';
const KEYS = { site: 'a secret', next: 'another' };
const message = JSON.stringify({ uid: 1, title: 'x' });
const ELSEWHERE = { 'x-forwarded-for': '203.0.113.9' };

let api: ApiHarness;

afterEach(() => api.close());

async function open(options: HarnessOptions = {}): Promise<void> {
  api = await ApiHarness.open({ ...options, api: { keys: KEYS, ...(options.api as object) } });
}

function signed(
  body: string,
  {
    method = 'POST',
    path = PATH,
    key = 'site',
    secret = KEYS.site,
    off = 0,
    nonce = randomBytes(12).toString('hex'),
  } = {},
): Record<string, string> {
  const timestamp = Math.floor(api.clock.now() / 1000) + off;
  return signCall({ id: key, secret }, { method, path, body, timestamp, nonce });
}

const post = (body: string, headers: Record<string, string> = {}) => api.post(PATH, body, headers);

describe('in PUSHENV 0', () => {
  test('a call from this machine needs no proof, but one that is there must be right', async () => {
    await open();
    expect((await post(message)).status).toBe(200);
    expect((await post(message, signed(message))).status).toBe(200);
    expect((await post(message, signed(message, { secret: 'wrong' }))).status).toBe(401);
    expect((await post(message, { 'x-spush-key': 'site' })).status).toBe(401);
  });

  test('a call from elsewhere needs one', async () => {
    await open();
    expect((await post(message, ELSEWHERE)).status).toBe(401);
    expect((await post(message, { 'x-forwarded-for': '127.0.0.1, 203.0.113.9' })).status).toBe(401);
    expect((await post(message, { ...ELSEWHERE, ...signed(message) })).status).toBe(200);
  });
});

describe.each([1, 2] as const)('in PUSHENV %i', (env) => {
  test('every call needs a proof, from this machine too', async () => {
    await open({ env });
    expect((await post(message)).status).toBe(401);
    expect((await post(message, signed(message))).status).toBe(200);
    expect((await api.call('/api/user/5')).status).toBe(401);
    const path = '/api/user/5?x=1';
    expect((await api.call(path, { headers: signed('', { method: 'GET', path }) })).status).toBe(200);
    expect(
      (await api.call(path, { method: 'HEAD', headers: signed('', { method: 'HEAD', path }) })).status,
    ).toBe(200);
  });
});

describe('a signature', () => {
  test('is refused when anything it covers is another', async () => {
    await open({ env: 2 });
    for (const headers of [
      signed(message, { secret: 'wrong' }),
      signed(message, { key: 'nobody' }),
      signed(`${message} `),
      signed(message, { path: `${PATH}/` }),
      signed(message, { off: 61 }),
      signed(message, { off: -61 }),
    ]) {
      const answer = await post(message, headers);
      expect(answer.status).toBe(401);
      expect(answer.body.code).toBe(401);
    }
    expect((await post(message, signed(message, { off: 60 }))).status).toBe(200);
    expect((await post(message, signed(message, { key: 'next', secret: KEYS.next }))).status).toBe(200);
    expect(api.accepted).toHaveLength(2);
  });

  test('is good for one call, also when they come together', async () => {
    await open({ env: 2 });
    const headers = signed(message);
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(message, headers)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.find(({ status }) => status === 401)?.body.msg).toContain('used before');
    expect(api.accepted).toHaveLength(1);
  });

  test('that is bad uses no nonce up', async () => {
    await open({ env: 2 });
    await post(message, signed(message, { secret: 'wrong' }));
    expect(api.claimed.size).toBe(0);
  });

  test('comes before the body’s syntax: strangers learn nothing of it', async () => {
    await open({ env: 2 });
    expect((await post('{', signed('{', { secret: 'wrong' }))).status).toBe(401);
    expect((await post('{', signed('{'))).status).toBe(400);
    expect((await post('<x/>', { ...signed('<x/>'), 'content-type': 'text/xml' })).status).toBe(415);
  });

  test('whose head is bad is refused before the body was sent', async () => {
    await open({ env: 2 });
    const raw = await RawSocket.open(api.port);
    raw.socket.write(`POST ${PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{`);
    await raw.until(() => raw.text.includes('HTTP/1.1 401 '));
    raw.destroy();
  });
});

describe('the old token', () => {
  const token = (timestamp: number, secret = KEYS.site) =>
    createHash('md5').update(`${timestamp}${secret}`).digest('hex');

  test('passes in JSON, in a form and in the query, where it is allowed', async () => {
    await open({ env: 2, api: { legacyToken: true } });
    const timestamp = Math.floor(api.clock.now() / 1000);
    const proof = { timestamp, token: token(timestamp) };
    expect((await post(JSON.stringify({ uid: 1, title: 'x', ...proof }))).status).toBe(200);
    expect((await post(JSON.stringify({ messages: [{ uid: 1, title: 'x' }], ...proof }))).status).toBe(200);
    const fields = { uid: '1', title: 'x', timestamp: String(timestamp), token: token(timestamp, KEYS.next) };
    expect((await api.form(PATH, fields)).status).toBe(200);
    const query = `?timestamp=${timestamp}&token=${proof.token}`;
    expect((await api.call(`/api/user/5${query}`)).status).toBe(200);
    expect((await api.post(`${PATH}${query}`, { uid: 1, title: 'x' })).status).toBe(200);
    expect((await post(message, signed(message))).status).toBe(200);
  });

  test('is refused when it is wrong, old or missing', async () => {
    await open({ env: 2, api: { legacyToken: true } });
    const now = Math.floor(api.clock.now() / 1000);
    for (const proof of [
      { timestamp: now, token: token(now, 'wrong') },
      { timestamp: now - 61, token: token(now - 61) },
      { timestamp: now },
      {},
    ]) {
      expect((await post(JSON.stringify({ uid: 1, title: 'x', ...proof }))).status).toBe(401);
    }
    expect((await api.call('/api/user/5')).status).toBe(401);
    expect(api.accepted).toEqual([]);
  });

  test('is nothing where it is not allowed', async () => {
    await open({ env: 2 });
    const now = Math.floor(api.clock.now() / 1000);
    expect(
      (await post(JSON.stringify({ uid: 1, title: 'x', timestamp: now, token: token(now) }))).status,
    ).toBe(401);
  });

  test('that is wrong is refused in PUSHENV 0 too', async () => {
    await open({ api: { legacyToken: true } });
    expect((await post(JSON.stringify({ uid: 1, title: 'x', timestamp: 1, token: 'x' }))).status).toBe(401);
    expect((await post(message)).status).toBe(200);
  });
});

describe('address lists', () => {
  test('come before the proof', async () => {
    await open({ env: 2, api: { allow: ['198.51.100.0/24'] } });
    expect((await post(message, signed(message))).status).toBe(403);
    expect(api.claimed.size).toBe(0);
    const inside = { 'x-forwarded-for': '198.51.100.7' };
    expect((await post(message, { ...inside, ...signed(message) })).status).toBe(200);
    expect((await post(message, inside)).status).toBe(401);
    expect((await api.call('/healthz')).status).toBe(200);
  });

  test('open /metrics to operators only', async () => {
    await open();
    const response = await fetch(`${api.url}/metrics`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toContain('text/plain');
    await response.text();
    const answer = await api.call('/metrics', { headers: ELSEWHERE });
    expect(answer.status).toBe(403);
    expect(answer.body.msg).toContain('203.0.113.9');
  });

  test('of proxies, and the header they are believed in, follow the configuration of now', async () => {
    await open({ system: { TrustedProxies: [] }, api: { allow: ['203.0.113.9'] } });
    const set = (system: object): void => {
      api.config = { ...api.config, system: { ...api.config.system, ...system } };
    };
    const call = () => post(message, { ...ELSEWHERE, ...signed(message) });
    expect((await call()).body.msg).toContain('address via-proxy:127.0.0.1 is not in allow');
    set({ TrustedProxies: ['127.0.0.1'] });
    expect((await call()).status).toBe(200);
    set({ ClientAddressHeader: 'X-Real-IP' });
    expect((await call()).body.msg).toContain('address unknown is not in allow');
  });

  test('do not take a client of a proxy on this machine for this machine', async () => {
    await open({ api: { allow: ['127.0.0.1'] } });
    for (const headers of [
      { 'x-forwarded-for': '127.0.0.1' },
      { 'x-real-ip': '127.0.0.1' },
      { via: '1.1 a' },
    ]) {
      expect((await api.call('/metrics', { headers })).status).toBe(403);
      expect((await post(message, headers)).status).toBe(403);
    }
    expect((await post(message)).status).toBe(200);
  });
});
