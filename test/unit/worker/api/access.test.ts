import { createHash, randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { signCall, signCallV1 } from '../../../../src/platform/auth/signature.js';
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

interface Signing {
  readonly method?: string;
  readonly path?: string;
  readonly key?: string;
  readonly secret?: string;
  readonly off?: number;
  readonly contentType?: string;
  readonly sign?: typeof signCall;
}

function signed(body: string, signing: Signing = {}): Record<string, string> {
  const {
    method = 'POST',
    path = PATH,
    key = 'site',
    secret = KEYS.site,
    off = 0,
    sign = signCall,
  } = signing;
  const contentType = signing.contentType ?? (method === 'POST' ? 'application/json' : '');
  const nonce = randomBytes(12).toString('hex');
  const timestamp = Math.floor(api.clock.now() / 1000) + off;
  return sign({ id: key, secret }, { method, path, contentType, body, timestamp, nonce });
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

describe('in PUSHENV 0 a page of another site', () => {
  const EVIL = { origin: 'https://evil.example' };
  const form = { 'content-type': 'application/x-www-form-urlencoded' };

  test('pushes and kicks nothing by a form, and is told what to set', async () => {
    await open();
    const answer = await post('uid=1&title=x', { ...form, ...EVIL });
    expect(answer.status).toBe(403);
    expect(answer.body.msg).toContain('SPUSH_API_ORIGINS');
    expect((await api.post('/api/user/kick', 'uid=1', { ...form, origin: 'null' })).status).toBe(403);
    expect((await post('uid=1&title=x', { ...form, 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect(api.accepted).toEqual([]);
    expect(api.asked).toEqual([]);
    expect((await post('uid=1&title=x', { ...form, origin: 'http://localhost:5173' })).status).toBe(200);
  });

  test('reads nothing under a name of its own that it lets point here', async () => {
    await open({ checks: [{ name: 'store', check: () => Promise.reject(new Error('/a/path')) }] });
    for (const path of ['/api/user/5', '/metrics', '/readyz']) {
      const raw = await RawSocket.open(api.port);
      raw.socket.write(`GET ${path} HTTP/1.1\r\nHost: evil.example:9501\r\nConnection: close\r\n\r\n`);
      await raw.until(() => raw.closed);
      expect(raw.text).toContain(path === '/readyz' ? 'HTTP/1.1 503 ' : 'HTTP/1.1 403 ');
      expect(raw.text).not.toContain('/a/path');
    }
  });

  test('that has a key may call', async () => {
    await open();
    expect((await post(message, { ...EVIL, ...signed(message) })).status).toBe(200);
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
    const xml = { ...signed('<x/>', { contentType: 'text/xml' }), 'content-type': 'text/xml' };
    expect((await post('<x/>', xml)).status).toBe(415);
  });

  test('of version 1 does not cover the type, so what was signed as JSON is never read as a form', async () => {
    await open({ env: 2 });
    const body = '{"uid":1,"title":"x&uid=666&title=forged&content="}';
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    expect((await post(body, { ...signed(body, { sign: signCallV1 }), ...form })).status).toBe(415);
    expect(
      (await post(` \n${body}`, { ...signed(` \n${body}`, { sign: signCallV1 }), ...form })).status,
    ).toBe(415);
    expect((await post(body, { ...signed(body), ...form })).status).toBe(401);
    expect(api.accepted).toEqual([]);
    expect((await post(body, signed(body, { sign: signCallV1 }))).status).toBe(200);
    const told = api.logged.filter((line) => line.startsWith('api.signatureV1'));
    expect(told).toEqual(['api.signatureV1 {"key":"site"}']);
  });

  test('of version 2 shows who calls before its body has come, and no other body passes', async () => {
    await open({ env: 2 });
    const raw = await RawSocket.open(api.port);
    const lines = Object.entries({ ...signed(message), 'Content-Type': 'application/json' });
    const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const forged = message.replace('"x"', '"y"');
    raw.socket.write(
      `POST ${PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${forged.length}\r\n${head}\r\n`,
    );
    await vi.waitFor(() => expect(api.claimed.size).toBe(1));
    raw.socket.write(forged);
    await raw.until(
      () => raw.text.includes('HTTP/1.1 401 ') && raw.text.includes('not the one that was signed'),
    );
    raw.destroy();
    expect(api.accepted).toEqual([]);
  });

  test('whose head is bad is refused before the body was sent', async () => {
    await open({ env: 2 });
    const raw = await RawSocket.open(api.port);
    raw.socket.write(`POST ${PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{`);
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
