import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createVerifier, verifierConcurrency } from '../../../../src/platform/auth/create-verifier.js';
import type { GzcpOutcome, UserVerifier } from '../../../../src/platform/auth/user-verifier.js';
import { type GzcpConf, gzcpSchema, type PushEnv } from '../../../../src/platform/config/config-schema.js';
import { Troubles } from '../../../../src/platform/health/troubles.js';
import type { Log } from '../../../../src/platform/log/log.js';
import { CLOCK_STEPS_MS, FakeClock } from '../../../support/fake-clock.js';
import { answerJson, FakeGzcp, type GzcpCall } from '../../../support/fake-gzcp.js';

const SECRET = 'between-us';

let clock: FakeClock;
let gzcp: FakeGzcp;
let respond: (call: GzcpCall, res: ServerResponse) => void;
let logged: string[];
let counts: Partial<Record<GzcpOutcome, number>>;
let states: string[];
let troubles: Troubles;

beforeEach(() => {
  clock = new FakeClock();
  logged = [];
  counts = {};
  troubles = new Troubles(clock);
  states = [];
  respond = (_call, res) => answerJson(res, { code: 200, data: { uid: 176_906 } });
  gzcp = new FakeGzcp((call, res) => respond(call, res));
});

afterEach(async () => {
  await gzcp.close();
});

async function open(
  conf: GzcpConf = {},
  { env = 1 as PushEnv, concurrency = 64, url = '' } = {},
): Promise<UserVerifier> {
  const verifyUrl = url || (await gzcp.listen());
  const write = (event: string, fields: unknown) => logged.push(`${event} ${JSON.stringify(fields)}`);
  const log: Log = { debugging: false, debug: write, info: write, warn: write, error: write };
  return createVerifier({
    config: { env, gzcp: gzcpSchema.parse({ verifyUrl, secret: SECRET, ...conf }) },
    concurrency: () => concurrency,
    clock,
    log,
    troubles,
    meter: {
      count: (outcome) => {
        counts[outcome] = (counts[outcome] ?? 0) + 1;
      },
      breaker: (state) => states.push(state),
    },
  });
}

const web = (value: string) => ({ channel: 'web' as const, value });
const refused = { code: 'LOGIN_REFUSED' };
const unavailable = { code: 'GZCP_UNAVAILABLE' };

describe('the call', () => {
  test('carries time, key and md5 of time, key and secret, after the address’s own query', async () => {
    const verifier = await open({}, { url: `${await gzcp.listen()}?site=1` });
    expect(await verifier.verify(web('a key&token=x'))).toBe(176_906);
    const timestamp = String(clock.now() / 1000);
    const token = createHash('md5').update(`${timestamp}a key&token=x${SECRET}`).digest('hex');
    expect(gzcp.calls).toEqual([{ timestamp, loginkey: 'a key&token=x', token }]);
  });

  test('carries what the configured function makes', async () => {
    const verifier = await open({
      token: (timestamp, key, secret) => `${timestamp}/${key}/${secret.length}`,
    });
    await verifier.verify(web('k'));
    expect(gzcp.calls[0]?.token).toBe(`${clock.now() / 1000}/k/${SECRET.length}`);
  });

  test.each([
    [
      'throws',
      () => {
        throw new Error(`cannot sign the-key with ${SECRET}`);
      },
    ],
    ['answers no text', () => 5 as unknown as string],
  ])('is not made when the function %s', async (_what, token) => {
    const verifier = await open({ token });
    await expect(verifier.verify(web('the-key'))).rejects.toMatchObject(unavailable);
    expect(gzcp.calls).toEqual([]);
    expect(logged.join()).toContain('gzcp.token');
    expect(logged.join()).not.toContain('the-key');
    expect(logged.join()).not.toContain(SECRET);
  });

  test('sends the address’s user and password as a header', async () => {
    const headers: unknown[] = [];
    const server = createServer((req, res) => {
      headers.push(req.headers.authorization);
      answerJson(res, { code: 200, data: { uid: 7 } });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const verifier = await open({}, { url: `http://ops:p%40ss@127.0.0.1:${port}/` });
    expect(await verifier.verify(web('k'))).toBe(7);
    expect(headers).toEqual([`Basic ${Buffer.from('ops:p@ss').toString('base64')}`]);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('an answer', () => {
  test.each([
    ['uid 0', { code: 200, data: { uid: 0 } }, 200],
    ['uid "0"', { code: 200, data: { uid: '0' } }, 200],
    ['uid "0176906"', { code: 200, data: { uid: '0176906' } }, 200],
    ['uid null', { code: 200, data: { uid: null } }, 200],
    ['no uid', { code: 200, data: {} }, 200],
    ['uid -1', { code: 200, data: { uid: -1 } }, 200],
    ['uid 1.5', { code: 200, data: { uid: 1.5 } }, 200],
    ['uid 2^53', '{"code":200,"data":{"uid":9007199254740992}}', 200],
    ['code 403', { code: 403, data: { uid: 5 } }, 200],
    ['broken JSON', '{"code":200,"data":{"uid":17', 200],
    ['nothing', '', 200],
    ['64 KiB and more', `{"code":200,"data":{"uid":5},"x":"${'x'.repeat(65_536)}"}`, 200],
    ['HTTP 404', { code: 200, data: { uid: 5 } }, 404],
    ['HTTP 201', { code: 200, data: { uid: 5 } }, 201],
  ])('with %s refuses the login', async (what, body, status) => {
    respond = (_call, res) => answerJson(res, body, status);
    const verifier = await open();
    await expect(verifier.verify(web('the-key'))).rejects.toMatchObject(refused);
    expect(gzcp.calls).toHaveLength(1);
    if (what === 'uid 0' || what === 'uid "0"') expect(logged).toEqual([]);
    else expect(logged.join()).toContain('gzcp.faulty');
    for (const secret of ['the-key', SECRET, gzcp.calls[0]?.token ?? '?', 'pushMsgLogin']) {
      expect(logged.join()).not.toContain(secret);
    }
    expect(states).toEqual([]);
  });

  test('may have its numbers as text', async () => {
    respond = (_call, res) => answerJson(res, { code: '200', data: { uid: '176906' } });
    expect(await (await open()).verify(web('k'))).toBe(176_906);
  });

  test('that leads elsewhere is not followed', async () => {
    respond = (_call, res) => res.writeHead(302, { location: '/login/pushMsgLogin?again' }).end();
    const verifier = await open();
    await expect(verifier.verify(web('k'))).rejects.toMatchObject(refused);
    expect(gzcp.calls).toHaveLength(1);
  });

  test('without end is not read to its end', async () => {
    respond = (_call, res) => {
      const pour = () => {
        while (!res.destroyed && res.write('x'.repeat(16_384)));
      };
      res.on('drain', pour);
      pour();
    };
    const verifier = await open();
    await expect(verifier.verify(web('k'))).rejects.toMatchObject(refused);
  });

  test.each([
    ['HTTP 500', (res: ServerResponse) => answerJson(res, 'oops', 500)],
    ['a cut connection', (res: ServerResponse) => void res.destroy()],
    [
      'half an answer',
      (res: ServerResponse) => {
        res.writeHead(200, { 'content-length': 100 });
        res.write('{', () => res.destroy());
      },
    ],
  ])('with %s is asked for once more', async (_what, fail) => {
    respond = (_call, res) => {
      if (gzcp.calls.length === 1) fail(res);
      else answerJson(res, { code: 200, data: { uid: 7 } });
    };
    const verifier = await open();
    expect(await verifier.verify(web('k'))).toBe(7);
    expect(counts).toMatchObject({ call: 2, user: 1 });
    respond = (_call, res) => fail(res);
    await expect(verifier.verify(web('other'))).rejects.toMatchObject(unavailable);
    expect(gzcp.calls).toHaveLength(4);
    expect(counts).toMatchObject({ call: 4, failure: 1 });
  });

  test('429 is "not now" and not asked for again', async () => {
    respond = (_call, res) => answerJson(res, '', 429);
    const verifier = await open();
    await expect(verifier.verify(web('k'))).rejects.toMatchObject(unavailable);
    expect(gzcp.calls).toHaveLength(1);
  });

  test('that does not come is given up at the deadline, the retry included', async () => {
    respond = (_call, res) => {
      if (gzcp.calls.length === 1) setTimeout(() => answerJson(res, '', 500), 120);
    };
    const verifier = await open({ deadlineMs: 300 });
    const begun = performance.now();
    await expect(verifier.verify(web('k'))).rejects.toMatchObject({
      ...unavailable,
      message: expect.stringContaining('no answer within 300 ms'),
    });
    expect(performance.now() - begun).toBeLessThan(1000);
    expect(gzcp.calls).toHaveLength(2);
  });

  test('from a port where nobody listens is "not now"', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const verifier = await open({}, { url: `http://127.0.0.1:${port}/x?secret=1` });
    await expect(verifier.verify(web('k'))).rejects.toMatchObject(unavailable);
    expect(logged.join()).toContain('ECONNREFUSED');
    expect(logged.join()).not.toContain('secret=1');
  });
});

describe('the main site is spared', () => {
  test('good answers are kept for cacheSeconds, by channel and key', async () => {
    const verifier = await open({ cacheSeconds: 30 });
    for (let n = 0; n < 3; n += 1) expect(await verifier.verify(web('k'))).toBe(176_906);
    expect(gzcp.calls).toHaveLength(1);
    await verifier.verify({ channel: 'app', value: 'k' });
    expect(gzcp.calls).toHaveLength(2);
    clock.advance(29_999);
    await verifier.verify(web('k'));
    expect(gzcp.calls).toHaveLength(2);
    clock.advance(1);
    await verifier.verify(web('k'));
    expect(gzcp.calls).toHaveLength(3);
    expect(counts).toEqual({ call: 3, user: 3, cached: 3 });
  });

  test.each(CLOCK_STEPS_MS)('good answers are kept as long when the clock is set by %d ms', async (step) => {
    const verifier = await open({ cacheSeconds: 30 });
    await verifier.verify(web('k'));
    clock.step(step);
    clock.advance(29_999);
    await verifier.verify(web('k'));
    expect(gzcp.calls).toHaveLength(1);
    clock.advance(1);
    await verifier.verify(web('k'));
    expect(gzcp.calls).toHaveLength(2);
  });

  test('bad answers are not kept', async () => {
    respond = (_call, res) => answerJson(res, { code: 200, data: { uid: 0 } });
    const verifier = await open();
    for (let n = 0; n < 2; n += 1) await expect(verifier.verify(web('k'))).rejects.toMatchObject(refused);
    expect(gzcp.calls).toHaveLength(2);
  });

  test('equal keys in flight share one call, its fault too', async () => {
    respond = (_call, res) => answerJson(res, '', 429);
    const verifier = await open();
    const logins = await Promise.allSettled(Array.from({ length: 100 }, () => verifier.verify(web('k'))));
    expect(logins.every(({ status }) => status === 'rejected')).toBe(true);
    expect(gzcp.calls).toHaveLength(1);
    expect(counts).toMatchObject({ call: 1, shared: 99, failure: 1 });
  });

  test('1,000 logins at once make at most as many calls at a time as allowed', async () => {
    respond = (call, res) => {
      setTimeout(() => answerJson(res, { code: 200, data: { uid: Number(call.loginkey) } }), 5);
    };
    const verifier = await open({}, { concurrency: 16 });
    const uids = await Promise.all(Array.from({ length: 1000 }, (_, n) => verifier.verify(web(`${n + 1}`))));
    expect(uids).toEqual(Array.from({ length: 1000 }, (_, n) => n + 1));
    expect(gzcp.calls).toHaveLength(1000);
    expect(gzcp.mostRunning).toBeLessThanOrEqual(16);
    expect(gzcp.mostRunning).toBeGreaterThan(8);
  });

  test('after failures in a row nobody asks; then one does', async () => {
    let up = false;
    respond = (_call, res) => answerJson(res, up ? { code: 200, data: { uid: 7 } } : '', up ? 200 : 429);
    const verifier = await open({ breakerFailures: 3, breakerSeconds: 5 });
    for (let n = 0; n < 5; n += 1) {
      await expect(verifier.verify(web(`${n}`))).rejects.toMatchObject(unavailable);
    }
    expect(gzcp.calls).toHaveLength(3);
    up = true;
    clock.advance(5000);
    const logins = await Promise.allSettled([1, 2, 3].map((n) => verifier.verify(web(`again ${n}`))));
    expect(logins.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(gzcp.calls).toHaveLength(4);
    expect(await verifier.verify(web('at last'))).toBe(7);
    expect(states).toEqual(['open', 'probing', 'closed']);
    expect(troubles.report().now).toEqual([]);
    expect(counts).toMatchObject({ failure: 3, turnedAway: 4 });
  });

  test('while nobody asks, that is a trouble that names the host and the last reason', async () => {
    respond = (_call, res) => answerJson(res, '', 429);
    const url = await gzcp.listen();
    const { host } = new URL(url);
    const verifier = await open({ breakerFailures: 2 }, { url: `${url}?secret=of-the-query` });
    for (let n = 0; n < 3; n += 1) {
      await expect(verifier.verify(web(`${n}`))).rejects.toMatchObject({
        message: expect.stringContaining(`the main site (${host})`),
      });
    }
    const [trouble] = troubles.report().now;
    expect(trouble).toMatchObject({ name: 'mainSite', text: expect.stringContaining(`${host}: HTTP 429; `) });
    expect(logged).toContain(`gzcp.breaker ${JSON.stringify({ state: 'open', host })}`);
    const said = [trouble?.text, ...logged].join();
    for (const secret of ['of-the-query', SECRET, gzcp.calls[0]?.token ?? 'none'])
      expect(said).not.toContain(secret);
  });

  test('those who wait when it opens are turned away at once', async () => {
    respond = (_call, res) => answerJson(res, '', 429);
    const verifier = await open({ breakerFailures: 5 }, { concurrency: 1 });
    const logins = await Promise.allSettled(
      Array.from({ length: 500 }, (_, n) => verifier.verify(web(`${n}`))),
    );
    expect(logins.every(({ status }) => status === 'rejected')).toBe(true);
    expect(gzcp.calls).toHaveLength(5);
  });
});

test('a storm of logins that the main site answers badly is one line a second in the log', async () => {
  respond = (_call, res) => answerJson(res, { code: 403, data: {} });
  const verifier = await open();
  const logins = Array.from({ length: 50 }, (_, n) => verifier.verify(web(`k${n}`)));
  await Promise.allSettled(logins);
  expect(logged.filter((line) => line.startsWith('gzcp.faulty'))).toHaveLength(1);
  expect(counts).toMatchObject({ faulty: 50 });
});

describe('a user who is forgotten', () => {
  test('is asked for again, others are not', async () => {
    respond = (call, res) => answerJson(res, { code: 200, data: { uid: Number(call.loginkey) % 10 } });
    const verifier = await open();
    for (const key of ['1', '11', '2']) await verifier.verify(web(key));
    verifier.forget(1);
    for (const key of ['1', '11', '2']) await verifier.verify(web(key));
    expect(gzcp.calls.map(({ loginkey }) => loginkey)).toEqual(['1', '11', '2', '1', '11']);
  });

  test('while his call is in flight, is not kept', async () => {
    let release: () => void = () => {};
    const asked = new Promise<void>((seen) => {
      respond = (_call, res) => {
        release = () => answerJson(res, { code: 200, data: { uid: 5 } });
        seen();
      };
    });
    const verifier = await open();
    const login = verifier.verify(web('k'));
    await asked;
    verifier.forget(5);
    release();
    expect(await login).toBe(5);
    respond = (_call, res) => answerJson(res, { code: 200, data: { uid: 5 } });
    await verifier.verify(web('k'));
    expect(gzcp.calls).toHaveLength(2);
    await verifier.verify(web('k'));
    expect(gzcp.calls).toHaveLength(2);
  });

  test('while his call is in flight, is asked for anew by who comes after that', async () => {
    const verifier = await open();
    const waiting: ServerResponse[] = [];
    respond = (_call, res) => waiting.push(res);
    const before = verifier.verify(web('k'));
    await expect.poll(() => waiting.length).toBe(1);
    verifier.forget(5);
    respond = (_call, res) => answerJson(res, { code: 403, data: {} });
    await expect(verifier.verify(web('k'))).rejects.toMatchObject(refused);
    for (const res of waiting) answerJson(res, { code: 200, data: { uid: 5 } });
    expect(await before).toBe(5);
    await expect(verifier.verify(web('k'))).rejects.toMatchObject(refused);
  });

  test('among more than can be remembered, is still not kept', async () => {
    let release: () => void = () => {};
    const asked = new Promise<void>((seen) => {
      respond = (_call, res) => {
        release = () => answerJson(res, { code: 200, data: { uid: 1 } });
        seen();
      };
    });
    const verifier = await open();
    const login = verifier.verify(web('k'));
    await asked;
    for (let uid = 1; uid <= 10_050; uid += 1) verifier.forget(uid);
    release();
    await login;
    respond = (_call, res) => answerJson(res, { code: 200, data: { uid: 1 } });
    await verifier.verify(web('k'));
    expect(gzcp.calls).toHaveLength(2);
  });
});

describe('the built-in verifier', () => {
  test('counts in PUSHENV 0 without an address', async () => {
    const verifier = await open({ verifyUrl: null }, { env: 0 });
    expect(await verifier.verify(web('dev-176906'))).toBe(176_906);
    expect(await verifier.verify({ channel: 'app', value: 'dev-1' })).toBe(1);
    for (const key of [
      'dev-0',
      'dev-01',
      'dev--1',
      'dev-1.5',
      'dev-9007199254740993',
      'dev-',
      'DEV-1',
      ' dev-1',
    ]) {
      await expect(verifier.verify(web(key))).rejects.toMatchObject(refused);
    }
  });

  test('does not count with an address', async () => {
    const verifier = await open({}, { env: 0 });
    expect(await verifier.verify(web('dev-5'))).toBe(176_906);
  });

  test.each([1, 2] as const)('cannot be had in PUSHENV %i', async (env) => {
    await expect(open({ verifyUrl: null }, { env })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});

test('a Worker’s share of the calls is a whole number, at least one', () => {
  expect(verifierConcurrency(64, 4)).toBe(16);
  expect(verifierConcurrency(64, 3)).toBe(21);
  expect(verifierConcurrency(64, 100)).toBe(1);
});
