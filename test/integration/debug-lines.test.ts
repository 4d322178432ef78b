/** What the log says at level debug, one by one: and that keys, secrets and texts never stand in it. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SIGNATURE_HEADERS } from '../../src/platform/auth/signature.js';
import { Daemon } from '../support/daemon.js';
import { answerJson, FakeGzcp } from '../support/fake-gzcp.js';
import { WsClient } from '../support/ws-client.js';

/** In every key, secret and text of this test, so that one search finds them all. */
const MARK = 'MARKED';
const KEY = { id: 'site', secret: `the secret ${MARK} of the callers` };
const CLIENT = { headers: { 'x-forwarded-for': '203.0.113.9' } };

interface Line {
  readonly level: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

let daemon: Daemon;
const gzcp = new FakeGzcp(({ loginkey }, res) => {
  if (loginkey.includes('fails')) answerJson(res, 'oops', 500);
  else answerJson(res, { code: 200, data: { uid: loginkey.includes('nobody') ? 0 : 176_906 } });
});

function log(): string {
  return readFileSync(path.join(daemon.home, 'Log/websocket.log'), 'utf8');
}

function debugLines(event: string): Line[] {
  const lines = log().trimEnd().split('\n');
  const parsed = lines.map((line) => JSON.parse(line) as Line);
  return parsed.filter((line) => line.level === 'debug' && line.event === event);
}

beforeAll(async () => {
  daemon = await Daemon.start({
    key: KEY,
    env: {
      SPUSH_WORKER_NUM: '1',
      SPUSH_LOG_LEVEL: 'debug',
      SPUSH_GZCP_VERIFY_URL: await gzcp.listen(),
      SPUSH_GZCP_SECRET: `${MARK} between us`,
      SPUSH_API_KEYS: JSON.stringify({ [KEY.id]: KEY.secret }),
      SPUSH_API_ORIGINS: JSON.stringify(['https://reader.example']),
      SPUSH_TRUSTED_PROXIES: JSON.stringify(['127.0.0.1']),
      SPUSH_LINKS_PER_ADDRESS: '2',
      SPUSH_LOGIN_TRIES_PER_ADDRESS: '2',
    },
  });
});

afterAll(async () => {
  await daemon.dispose();
  await gzcp.close();
});

test('each login and each refused login has a line', async () => {
  const client = await WsClient.connect(daemon.wsUrl, CLIENT);
  const login = (body: Record<string, unknown>) => client.ask('login', body);
  expect((await login({ ukey: `${MARK}-nobody`, device: 'phone' })).code).toBe(401);
  expect((await login({ token: `${MARK}-fails` })).code).toBe(503);
  expect((await login({ ukey: `${MARK}-good`, device: 'phone', ack: true })).code).toBe(200);
  expect((await login({ ukey: `${MARK}-nobody-again` })).code).toBe(401);
  expect((await login({ ukey: `${MARK}-nobody-too` })).code).toBe(429);
  expect((await login({ ukey: 7, [MARK]: MARK })).code).toBe(400);
  const address = '203.0.113.9';
  expect(debugLines('login.accepted')).toMatchObject([
    { uid: 176_906, channel: 'web', device: 'phone', ack: true, address, fresh: true },
  ]);
  expect(debugLines('login.refused')).toMatchObject([
    { reason: 'LOGIN_REFUSED', status: 401, address },
    { reason: 'GZCP_UNAVAILABLE', status: 503, address },
    { reason: 'LOGIN_REFUSED', status: 401, address },
    { reason: 'TOO_MANY', status: 429, address },
    { reason: 'BAD_REQUEST', status: 400, address },
  ]);
  await client.close();
});

test('each refused handshake has a line', async () => {
  const connect = (options: object) => WsClient.connect(daemon.wsUrl, options);
  for (let n = 0; n < 3; n += 1)
    await expect(connect({ ...CLIENT, origin: `https://${MARK}.example` })).rejects.toMatchObject({
      status: 403,
    });
  const open = [await connect(CLIENT), await connect(CLIENT)];
  await expect(connect(CLIENT)).rejects.toMatchObject({ status: 429 });
  for (const client of open) await client.close();
  const refused = debugLines('gateway.refused').map(({ reason, address }) => ({ reason, address }));
  const address = '203.0.113.9';
  const origin = { reason: 'origin', address };
  expect(refused).toEqual([origin, origin, origin, { reason: 'address', address }]);
});

test('each push call, each kick and each refused call has a line', async () => {
  const signatures: string[] = [];
  const post = async (urlPath: string, body: unknown) => {
    const text = JSON.stringify(body);
    const type = 'application/json';
    const headers: Record<string, string> = {
      'content-type': type,
      ...daemon.signature('POST', urlPath, text, type),
    };
    signatures.push(
      headers[SIGNATURE_HEADERS.signature] ?? 'none',
      headers[SIGNATURE_HEADERS.nonce] ?? 'none',
    );
    return daemon.post(urlPath, body, headers);
  };
  const message = { title: MARK, content: MARK, url: `https://a.example/${MARK}`, data: { [MARK]: MARK } };
  const first = await post('/api/comment/message', { uids: [1, 2], id: `call ${MARK}`, ...message });
  expect(first.status).toBe(200);
  const ids: string[] = first.body.data.ids;
  await post('/api/comment/message', { uids: [1, 2], id: `call ${MARK}`, ...message });
  await post('/api/user/kick', { uid: 176_906, reason: MARK });
  const unsigned = await fetch(`${daemon.url}/api/comment/message?token=${MARK}`, {
    method: 'POST',
    headers: { 'x-forwarded-for': '203.0.113.9', authorization: MARK },
  });
  expect(unsigned.status).toBe(401);
  const call = { kind: 'comment', key: 'site', targets: 2, ids: ids.join(',') };
  expect(debugLines('api.pushed')).toMatchObject([
    { ...call, accepted: 2, duplicates: 0 },
    { ...call, accepted: 0, duplicates: 2 },
  ]);
  expect(debugLines('user.kicked')).toMatchObject([{ uid: 176_906, key: 'site', closed: 0, silent: 0 }]);
  expect(debugLines('api.refused')).toMatchObject([
    { reason: 'UNAUTHORIZED', address: '203.0.113.9', path: '/api/comment/message' },
  ]);
  expect(signatures).not.toContain('none');
  for (const signature of signatures) expect(log()).not.toContain(signature);
});

test('no key, token, secret or text stands in the log', () => {
  expect(gzcp.calls.length).toBeGreaterThan(3);
  for (const { token } of gzcp.calls) expect(log()).not.toContain(token);
  expect(
    log()
      .split('\n')
      .filter((line) => line.toUpperCase().includes(MARK)),
  ).toEqual([]);
});

test('above level debug there is no such line, from the moment on in which the level is set', async () => {
  await daemon.run('config', 'set', 'LogLevel', 'info');
  const before = debugLines('api.pushed').length;
  await expect
    .poll(async () => {
      const counted = debugLines('api.pushed').length;
      await daemon.post('/api/comment/message', { uid: 1, title: 't', content: 'c' });
      return debugLines('api.pushed').length - counted;
    })
    .toBe(0);
  expect(debugLines('api.pushed').length).toBeLessThan(before + 3);
});
