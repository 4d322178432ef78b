import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signCall } from '../../src/platform/auth/signature.js';
import { Daemon } from '../support/daemon.js';
import { clientFrame, RawSocket } from '../support/raw-socket.js';
import { WsClient } from '../support/ws-client.js';

const SECRET = 'a secret of the test';
const PATH = '/api/comment/message';

let daemon: Daemon;
let pids: number[];

beforeAll(async () => {
  daemon = await Daemon.start({
    env: {
      SPUSH_WORKER_NUM: '2',
      SPUSH_HANDSHAKE_SECONDS: '2',
      SPUSH_API_KEYS: JSON.stringify({ main: SECRET, next: 'another' }),
    },
  });
  pids = daemon.tree().sort();
});

afterAll(async () => {
  // No process ended through all of it.
  expect(daemon.tree().sort()).toEqual(pids);
  await daemon.dispose();
});

function signed(
  body: string,
  options: { ageSeconds?: number; key?: string; secret?: string; nonce?: string } = {},
): Record<string, string> {
  const { ageSeconds = 0, key: id = 'main', secret = SECRET } = options;
  const timestamp = Math.floor(Date.now() / 1000) - ageSeconds;
  const nonce = options.nonce ?? randomBytes(12).toString('hex');
  const call = { method: 'POST', path: PATH, contentType: 'application/json', body, timestamp, nonce };
  return lowerCase(signCall({ id, secret }, call));
}

/** So that a test can put another value in the place of one. */
function lowerCase(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

describe('frames', () => {
  test('that are not JSON get 400, and ten in a row close the connection with 1008', async () => {
    const client = await WsClient.connect(daemon.wsUrl);
    for (let n = 0; n < 9; n += 1) client.socket.send('{"cmd"');
    await client.ask('ping');
    for (let n = 0; n < 9; n += 1) client.socket.send('[]');
    await client.ask('ping');
    expect(
      client.frames.filter(({ cmd, id, code }) => cmd === 'error' && id === '' && code === 400),
    ).toHaveLength(18);
    for (let n = 0; n < 10; n += 1) client.socket.send('not JSON');
    expect((await client.untilClosed()).code).toBe(1008);
    expect((await client.event('bye')).body.retryAfter).toBeNull();
  });

  test('that are binary get 415 and the connection stays', async () => {
    const client = await WsClient.connect(daemon.wsUrl);
    client.socket.send(Buffer.from([1, 2, 3]));
    await client.until(() => client.frames.some(({ code }) => code === 415));
    expect((await client.ask('ping')).code).toBe(200);
    await client.close();
  });

  test.each([
    ['pongs', 0x8a],
    ['pings', 0x89],
  ])('that are %s without end close the connection, and are not read until its client has closed too', async (_what, head) => {
    const raw = await RawSocket.upgraded(daemon.port);
    const flood = Buffer.concat(Array.from({ length: 10_000 }, () => Buffer.from([head, 0x80, 0, 0, 0, 0])));
    const pump = (): void => {
      while (!raw.socket.destroyed && raw.socket.write(flood));
    };
    raw.socket.on('drain', pump);
    pump();
    await raw.until(() => raw.closed);
    // What the kernels hold, and no more.
    expect(raw.socket.bytesWritten - raw.socket.writableLength).toBeLessThan(32 * 1024 * 1024);
    const other = await WsClient.connect(daemon.wsUrl);
    expect((await other.ask('ping')).code).toBe(200);
    await other.close();
  });

  test('that are pings now and then, in a burst too, are answered', async () => {
    const raw = await RawSocket.upgraded(daemon.port);
    for (let n = 0; n < 20; n += 1) {
      const pongs = raw.received.length;
      raw.socket.write(Buffer.from([0x89, 0x80, 0, 0, 0, 0]));
      await raw.until(() => raw.received.length > pongs);
    }
    expect(raw.closeCode).toBeNull();
    raw.destroy();
  });

  test('of 1 MiB are closed with 1009', async () => {
    const client = await WsClient.connect(daemon.wsUrl);
    client.socket.send(`{"cmd":"ping","id":"1","ts":1,"body":{"a":"${'x'.repeat(1 << 20)}"}}`);
    expect((await client.untilClosed()).code).toBe(1009);
  });

  test('in 100,000 fragments of one byte are closed with 1008', async () => {
    const raw = await RawSocket.upgraded(daemon.port);
    const fragments = [clientFrame(Buffer.from('x'), { fin: false })];
    for (let n = 0; n < 100_000; n += 1)
      fragments.push(clientFrame(Buffer.from('x'), { opcode: 0, fin: false }));
    raw.socket.write(Buffer.concat(fragments));
    await raw.until(() => raw.closed);
    expect(raw.closeCode).toBe(1008);
  });

  test('sent a byte at a time are understood', async () => {
    const raw = await RawSocket.upgraded(daemon.port);
    raw.socket.setNoDelay(true);
    const frame = clientFrame(Buffer.from('{"cmd":"ping","id":"slow","ts":1612322032}'));
    for (const byte of frame) {
      raw.socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await raw.until(() => raw.text.includes('"id":"slow"'));
    raw.destroy();
  });

  test('nested as deep as fits, and with prototype keys, are data', async () => {
    const client = await WsClient.connect(daemon.wsUrl);
    const deep = '['.repeat(7000) + ']'.repeat(7000);
    client.socket.send(`{"cmd":"ping","id":"deep","ts":1,"body":{"a":${deep}}}`);
    client.socket.send(
      '{"cmd":"ping","id":"proto","ts":1,"body":{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}}}}',
    );
    client.socket.send('{"__proto__":{"cmd":"ping"},"id":"none","ts":1}');
    for (const id of ['deep', 'proto']) {
      expect((await client.until(() => client.frames.find((frame) => frame.id === id))).code).toBe(200);
    }
    expect((await client.until(() => client.frames.find((frame) => frame.id === 'none'))).code).toBe(400);
    await client.close();
  });

  test.each([
    ['an unmasked frame', Buffer.from([0x81, 0x02, 0x7b, 0x7d]), 1002],
    ['reserved bits', Buffer.from([0xf1, 0x80, 0, 0, 0, 0]), 1002],
    ['an unknown opcode', Buffer.from([0x83, 0x80, 0, 0, 0, 0]), 1002],
    ['text that is not UTF-8', clientFrame(Buffer.from([0xff, 0xfe])), 1007],
    [
      'a length of 2^63',
      Buffer.from([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
      1009,
    ],
  ])('%s is closed with its code', async (_name, bytes, code) => {
    const raw = await RawSocket.upgraded(daemon.port);
    raw.socket.write(bytes);
    await raw.until(() => raw.closed);
    expect(raw.closeCode).toBe(code);
  });
});

describe('calls', () => {
  test.each([
    ['an empty body', '', 'application/json', 400],
    ['a truncated body', '{"uid":1,"title":"x', 'application/json', 400],
    ['another type', '<xml/>', 'text/xml', 415],
    ['no title and no content', '{"uid":1}', 'application/json', 400],
    ['a uid that is no number', '{"uid":"abc","title":"x"}', 'application/json', 400],
    ['a uid of 0', '{"uid":0,"title":"x"}', 'application/json', 400],
    ['a title of 201', JSON.stringify({ uid: 1, title: 'x'.repeat(201) }), 'application/json', 400],
    ['a content of 8,001', JSON.stringify({ uid: 1, content: 'x'.repeat(8001) }), 'application/json', 400],
    [
      'data over 8 KiB',
      JSON.stringify({ uid: 1, title: 'x', data: { a: 'x'.repeat(8200) } }),
      'application/json',
      400,
    ],
    [
      '1,001 messages',
      JSON.stringify({ messages: Array.from({ length: 1001 }, () => ({ uid: 1, title: 'x' })) }),
      'application/json',
      400,
    ],
    ['no messages', '{"messages":[]}', 'application/json', 400],
    ['3 MiB', JSON.stringify({ uid: 1, title: 'x'.repeat(3 << 20) }), 'application/json', 413],
    [
      'deep nesting',
      `{"uid":1,"title":"x","data":{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`,
      'application/json',
      400,
    ],
  ])('with %s get their code', async (_name, body, type, status) => {
    const answer = await daemon.post(PATH, body, { 'content-type': type });
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject({ code: status });
    expect(answer.body.msg.length).toBeGreaterThan(0);
  });

  test('with one bad message in a batch store nothing', async () => {
    const uid = 41;
    const messages = [
      { uid, title: 'good' },
      { uid, title: '' },
      { uid: -1, title: 'x' },
    ];
    const answer = await daemon.post(PATH, { messages });
    expect(answer.status).toBe(400);
    const errors: { index: number }[] =
      answer.body.data?.errors ?? (answer.body as unknown as { errors: [] }).errors;
    expect(errors.map(({ index }) => index)).toEqual(expect.arrayContaining([1, 2]));
    const client = await WsClient.login(daemon.wsUrl, uid);
    expect((await client.ask('list')).body.items).toEqual([]);
    await client.close();
  });

  test('with prototype keys are harmless', async () => {
    const answer = await daemon.post(
      PATH,
      '{"uid":42,"title":"x","__proto__":{"uid":1},"data":{"__proto__":{"a":1},"constructor":1}}',
    );
    expect(answer.status).toBe(200);
  });

  test('of a wrong method or path get 405 and 404', async () => {
    expect((await daemon.get(PATH)).status).toBe(405);
    expect((await daemon.get('/api/nothing')).status).toBe(404);
  });

  test('to everybody with a uid are refused', async () => {
    expect((await daemon.post('/api/notice/systemMessage', { uid: 5, title: 'personal' })).status).toBe(400);
  });

  test('that are signed right pass, from either key', async () => {
    const body = JSON.stringify({ uid: 43, title: 'signed' });
    expect((await daemon.post(PATH, body, signed(body))).status).toBe(200);
    expect((await daemon.post(PATH, body, signed(body, { key: 'next', secret: 'another' }))).status).toBe(
      200,
    );
  });

  test('with a wrong signature, an unknown key, or a clock 61 s off get 401', async () => {
    const body = JSON.stringify({ uid: 43, title: 'signed' });
    for (const headers of [
      signed(body, { secret: 'wrong' }),
      signed(`${body} `),
      signed(body, { key: 'nobody' }),
      signed(body, { ageSeconds: 61 }),
      signed(body, { ageSeconds: -62 }),
      { ...signed(body), 'x-spush-signature': '' },
      { ...signed(body), 'x-spush-nonce': 'short' },
    ]) {
      expect((await daemon.post(PATH, body, headers)).status).toBe(401);
    }
  });

  test('with a nonce that was used before get 401, on whichever Worker', async () => {
    const body = JSON.stringify({ uid: 43, title: 'replayed' });
    const headers = signed(body);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => daemon.post(PATH, body, { ...headers, connection: 'close' })),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(19);
  });

  test('from elsewhere need a signature, and cannot pretend to be from here', async () => {
    const body = JSON.stringify({ uid: 43, title: 'x' });
    expect((await daemon.post(PATH, body, { 'x-forwarded-for': '203.0.113.9' })).status).toBe(401);
    expect((await daemon.post(PATH, body, { 'x-forwarded-for': '127.0.0.1, 203.0.113.9' })).status).toBe(401);
    expect(
      (await daemon.post(PATH, body, { 'x-forwarded-for': '203.0.113.9', ...signed(body) })).status,
    ).toBe(200);
  });
});

describe('half-open connections', () => {
  test('are ended after the handshake time, also when they say nothing, and cost others nothing', async () => {
    const silent = await Promise.all(Array.from({ length: 100 }, () => RawSocket.open(daemon.port)));
    const half = await Promise.all(Array.from({ length: 100 }, () => RawSocket.open(daemon.port)));
    for (const raw of half) raw.socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: webso');
    const drip = setInterval(() => {
      for (const raw of half) if (!raw.closed) raw.socket.write('c');
    }, 300);
    expect((await daemon.get('/healthz')).status).toBe(200);
    try {
      for (const raw of [...silent, ...half]) await raw.until(() => raw.closed, 10_000);
    } finally {
      clearInterval(drip);
    }
  });

  test('a handshake that is none of version 13 gets 426 with an answer', async () => {
    const raw = await RawSocket.open(daemon.port);
    raw.socket.write(
      'GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 7\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    await raw.until(() => raw.closed);
    expect(raw.text).toMatch(/^HTTP\/1\.1 426 /);
  });

  test('an offer of another protocol than WebSocket is not taken for one', async () => {
    const raw = await RawSocket.open(daemon.port);
    raw.socket.write(
      'GET /healthz HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n',
    );
    await raw.until(() => raw.closed);
    expect(raw.text).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('header lines over 8 KiB get 431', async () => {
    const raw = await RawSocket.open(daemon.port);
    raw.socket.write(`GET / HTTP/1.1\r\nHost: localhost\r\nCookie: ${'x'.repeat(9000)}\r\n\r\n`);
    await raw.until(() => raw.closed);
    expect(raw.text).toContain(' 431 ');
  });
});

test('memory stays flat under a flood of bad input', { timeout: 90_000 }, async () => {
  const workers = [...daemon.children()]
    .filter(([title]) => /\.Worker\.\d+$/.test(title))
    .map(([, pid]) => pid);
  const rssMb = (): number => workers.reduce((sum, pid) => sum + rss(pid), 0) / 2 ** 20;
  const flood = async (): Promise<void> => {
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(
        Array.from({ length: 40 }, async (_, n) => {
          const raw = await RawSocket.upgraded(daemon.port);
          raw.socket.write(clientFrame(randomBytes(n % 2 ? 15_000 : 60_000), { fin: n % 3 > 0 }));
          for (let i = 0; i < 20; i += 1) raw.socket.write(clientFrame(Buffer.from('{'.repeat(1000))));
          await raw.until(() => raw.closed);
        }),
      );
      await Promise.all(
        Array.from({ length: 20 }, () => daemon.post(PATH, `{"uid":1,"title":"${'x'.repeat(1 << 20)}`)),
      );
    }
  };
  // A process that has done nothing yet is small: its heap first grows to what this work needs.
  for (let warmUp = 0; warmUp < 3; warmUp += 1) await flood();
  const before = rssMb();
  const after: number[] = [];
  for (let more = 0; more < 5; more += 1) {
    await flood();
    after.push(rssMb());
  }
  const shown = after.map((mb) => mb.toFixed(0)).join(', ');
  console.log(
    `Workers' memory: ${before.toFixed(0)} MB after three floods, ${shown} MB after each of five more`,
  );
  // Garbage makes it go up and down by some tens of MB; what is held on to would only make it go up.
  expect(Math.min(...after.slice(2))).toBeLessThan(before + 60);
});

function rss(pid: number): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
  return pages * 4096;
}
