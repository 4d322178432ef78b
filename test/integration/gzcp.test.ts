import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Daemon } from '../support/daemon.js';
import { answerJson, FakeGzcp } from '../support/fake-gzcp.js';
import { WsClient } from '../support/ws-client.js';

const SECRET = 'between-us';

/** What the main site says, by the key that is asked for. */
const ANSWERS: Readonly<Record<string, unknown>> = {
  good: { code: 200, data: { uid: 176_906 } },
  zero: { code: 200, data: { uid: 0 } },
  'zero-text': { code: 200, data: { uid: '0' } },
  'number-text': { code: '200', data: { uid: '176906' } },
  'number-text-blank': { code: 200, data: { uid: ' 176906' } },
  null: { code: 200, data: { uid: null } },
  missing: { code: 200, data: {} },
  'no-data': { code: 200 },
  negative: { code: 200, data: { uid: -5 } },
  fraction: { code: 200, data: { uid: 1.5 } },
  'other-code': { code: 403, data: { uid: 176_906 } },
  broken: '{"code":200,"data":{"uid":17',
  empty: '',
  array: [],
};

let daemon: Daemon;
const gzcp = new FakeGzcp((call, res) => {
  if (call.loginkey === 'status-500') answerJson(res, 'oops', 500);
  else if (call.loginkey === 'hang') return;
  else if (call.loginkey === 'cut') res.destroy();
  else if (call.loginkey === 'continue') {
    res.writeContinue();
    answerJson(res, ANSWERS['good']);
  } else if (call.loginkey.startsWith('crowd-')) {
    setTimeout(
      () => answerJson(res, { code: 200, data: { uid: 1000 + Number(call.loginkey.slice(6)) } }),
      20,
    );
  } else answerJson(res, ANSWERS[call.loginkey] ?? { code: 200, data: { uid: 0 } });
});

beforeAll(async () => {
  daemon = await Daemon.start({
    env: {
      SPUSH_WORKER_NUM: '2',
      SPUSH_GZCP_VERIFY_URL: await gzcp.listen(),
      SPUSH_GZCP_SECRET: SECRET,
      SPUSH_GZCP_BREAKER_FAILURES: '1000',
      SPUSH_LINKS_PER_USER: '1000',
    },
  });
});

afterAll(async () => {
  await daemon.dispose();
  await gzcp.close();
});

test.each([
  ['good', 200],
  ['zero', 401],
  ['zero-text', 401],
  ['number-text', 200],
  ['number-text-blank', 401],
  ['continue', 200],
  ['null', 401],
  ['missing', 401],
  ['no-data', 401],
  ['negative', 401],
  ['fraction', 401],
  ['other-code', 401],
  ['broken', 401],
  ['empty', 401],
  ['array', 401],
  ['status-500', 503],
  ['cut', 503],
  ['hang', 503],
])('a key that gzcp answers with "%s" is a login with code %i', async (ukey, code) => {
  const client = await WsClient.connect(daemon.wsUrl);
  const started = Date.now();
  const reply = await client.ask('login', { ukey });
  expect(reply.code).toBe(code);
  expect(Date.now() - started).toBeLessThan(4000);
  if (code === 200) expect(reply.body.uid).toBe(176_906);
  else expect(reply.body.retryAfter).toBe(30);
  expect((await client.ask('ping')).code).toBe(200);
  await client.close();
});

test('the call carries time, key and a token made with the secret; the log has no key', () => {
  const call = gzcp.calls.find(({ loginkey }) => loginkey === 'good');
  expect(Math.abs(Number(call?.timestamp) - Date.now() / 1000)).toBeLessThan(60);
  expect(call?.token).toBe(createHash('md5').update(`${call?.timestamp}good${SECRET}`).digest('hex'));
  for (const secret of [SECRET, 'number-text', call?.token ?? 'none'])
    expect(daemon.output).not.toContain(secret);
});

test('1,000 logins at once make at most 64 calls at a time', { timeout: 60_000 }, async () => {
  const clients = await Promise.all(Array.from({ length: 1000 }, () => WsClient.connect(daemon.wsUrl)));
  gzcp.mostRunning = 0;
  const replies = await Promise.all(clients.map((client, n) => client.ask('login', { ukey: `crowd-${n}` })));
  expect(replies.every(({ code }) => code === 200)).toBe(true);
  expect(gzcp.mostRunning).toBeLessThanOrEqual(64);
  expect(gzcp.mostRunning).toBeGreaterThan(8);
  console.log(`1,000 logins: at most ${gzcp.mostRunning} calls at a time`);
  await Promise.all(clients.map((client) => client.close()));
});

test('a storm of the same keys is few calls', async () => {
  const before = gzcp.calls.length;
  const clients = await Promise.all(Array.from({ length: 200 }, () => WsClient.connect(daemon.wsUrl)));
  const replies = await Promise.all(clients.map((client) => client.ask('login', { ukey: 'crowd-7' })));
  expect(replies.every(({ body }) => body.uid === 1007)).toBe(true);
  expect(gzcp.calls.length - before).toBeLessThanOrEqual(2);
  await Promise.all(clients.map((client) => client.close()));
});
