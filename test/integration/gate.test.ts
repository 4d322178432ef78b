/** What stands at the gate: who a caller is taken for, how many may come, and what of a request's head counts. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HEADER_LINES_MAX } from '../../src/worker/gateway/request-head.js';
import { Daemon } from '../support/daemon.js';
import { RawSocket } from '../support/raw-socket.js';

let daemon: Daemon;

beforeAll(async () => {
  daemon = await Daemon.start({ env: { SPUSH_WORKER_NUM: '1' } });
});
afterAll(() => daemon?.dispose());

/** What the server answers before it closes the connection. */
async function answerTo(text: string): Promise<string> {
  const raw = await RawSocket.open(daemon.port);
  raw.socket.write(text);
  await raw.until(() => raw.closed);
  return raw.text;
}

const UPGRADE =
  'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const MESSAGE = JSON.stringify({ uid: 1, title: 'hello' });
const PUSH = `POST /api/comment/message HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${MESSAGE.length}\r\n`;

describe('a client of a proxy on this machine is not taken for this machine', () => {
  const PADDING = Array.from({ length: HEADER_LINES_MAX }, (_, i) => `A${i}: 1\r\n`).join('');
  const TOLD = 'X-Forwarded-For: 203.0.113.9\r\n';

  test.each([
    ['reads no figures', 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n', ''],
    ['pushes nothing', PUSH, MESSAGE],
    ['is not connected without its budget', `GET / HTTP/1.1\r\nHost: localhost\r\n${UPGRADE}`, ''],
  ])('by header lines that push the proxy’s out of sight: it %s', async (_what, head, body) => {
    expect(await answerTo(`${head}${PADDING}${TOLD}\r\n${body}`)).toMatch(
      /^HTTP\/1\.1 431 [\s\S]*"code":431/,
    );
  });

  test.each([
    ['X-Real-IP: 127.0.0.1'],
    ['X-Forwarded-For: 127.0.0.1'],
    ['X-Forwarded-For: localhost'],
    ['X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-For: 203.0.113.9'],
    ['X-Forwarded-Proto: https'],
    ['Forwarded: for=127.0.0.1'],
  ])('by %s', async (line) => {
    const more = `${line}\r\nConnection: close\r\n\r\n`;
    expect(await answerTo(`GET /metrics HTTP/1.1\r\nHost: localhost\r\n${more}`)).toMatch(/^HTTP\/1\.1 403 /);
    expect(await answerTo(`${PUSH}${more}${MESSAGE}`)).toMatch(/^HTTP\/1\.1 401 /);
  });
});

describe('behind a proxy that asks for an upgrade on every request', () => {
  const OFFER = 'Upgrade: websocket\r\nConnection: upgrade\r\n';

  test('calls are answered, and one connection serves many', async () => {
    const raw = await RawSocket.open(daemon.port);
    for (let n = 1; n <= 3; n += 1) {
      raw.socket.write(
        `${PUSH}${OFFER}\r\n${MESSAGE}GET /healthz HTTP/1.1\r\nHost: localhost\r\n${OFFER}\r\n`,
      );
      await raw.until(() => raw.text.split('HTTP/1.1 200 OK').length - 1 === 2 * n);
    }
    expect(raw.text.split('"accepted":1').length - 1).toBe(3);
    raw.destroy();
  });

  test.each([
    [
      'h2c',
      'Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n',
    ],
    ['TLS', 'Connection: Upgrade, close\r\nUpgrade: TLS/1.2\r\n'],
  ])('offers of %s are not taken', async (_what, offer) => {
    expect(await answerTo(`${PUSH}${offer}\r\n${MESSAGE}`)).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*"accepted":1/);
  });

  test('a WebSocket is one, also among other offers', async () => {
    const raw = await RawSocket.open(daemon.port);
    raw.socket.write(
      `GET /ws HTTP/1.1\r\nHost: localhost\r\n${UPGRADE.replace('Upgrade: websocket', 'Upgrade: h2c, WebSocket')}\r\n`,
    );
    await raw.until(() => raw.text.includes('"hello"'));
    expect(raw.text).toMatch(/^HTTP\/1\.1 101 /);
    raw.destroy();
  });

  test.each([
    ['8'],
    ['0'],
    ['99'],
    ['13, 8'],
  ])('version %s of WebSocket gets 426 with ours', async (version) => {
    const text = await answerTo(
      `GET / HTTP/1.1\r\nHost: localhost\r\n${UPGRADE.replace('Version: 13', `Version: ${version}`)}\r\n`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 426 Upgrade Required\r\n/);
    expect(text).toMatch(/\r\nSec-WebSocket-Version: 13\r\n/);
    expect(text).toMatch(/\r\nUpgrade: websocket\r\n/);
  });

  test('a key that is none gets 400', async () => {
    const text = await answerTo(`GET / HTTP/1.1\r\nHost: localhost\r\n${UPGRADE.replace('dGhl', '')}\r\n`);
    expect(text).toMatch(/^HTTP\/1\.1 400 [\s\S]*Sec-WebSocket-Key/);
  });
});

test('targets in absolute form are those of their path', async () => {
  const health = await answerTo(
    'GET http://localhost:1234/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
  );
  expect(health).toMatch(/^HTTP\/1\.1 200 /);
  const raw = await RawSocket.open(daemon.port);
  raw.socket.write(`GET http://localhost:1234/ws HTTP/1.1\r\nHost: localhost\r\n${UPGRADE}\r\n`);
  await raw.until(() => raw.text.includes('"hello"'));
  raw.destroy();
});

test.each([
  ['400', 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n'],
  ['400', `GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n${UPGRADE}\r\n`],
  ['501', `${PUSH.replace(/Content-Length: \d+/, 'Transfer-Encoding: gzip, chunked')}\r\n0\r\n\r\n`],
])('a head that a proxy may read otherwise gets %s', async (status, text) => {
  expect(await answerTo(text)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
});

test.each([
  ['413', `${PUSH.replace(/Length: \d+/, 'Length: 3000000')}Expect: 100-continue\r\n\r\n`],
  ['417', `${PUSH}Expect: 200-ok\r\n\r\n`],
])('an expectation that is not met gets %s before a body is sent', async (status, head) => {
  const text = await answerTo(head);
  expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(text).not.toContain('100 Continue');
});

test('every refusal leaves a line that says who and why, and not one each', async () => {
  const told = 'X-Forwarded-For: 203.0.113.77\r\n';
  const upgrade = (more: string): string =>
    `GET / HTTP/1.1\r\nHost: localhost\r\n${told}${more}${UPGRADE}\r\n`;
  for (let n = 0; n < 20; n += 1) await answerTo(`${PUSH}${told}Connection: close\r\n\r\n${MESSAGE}`);
  await answerTo(`GET /metrics HTTP/1.1\r\nHost: localhost\r\n${told}Connection: close\r\n\r\n`);
  await answerTo(upgrade('').replace('Version: 13', 'Version: 8'));
  await answerTo(upgrade('').replace('GET /', 'GET /elsewhere'));
  await answerTo(upgrade('A: 1\r\n'.repeat(HEADER_LINES_MAX)));
  await answerTo(
    `GET /healthz HTTP/1.1\r\nHost: localhost\r\n${'A: 1\r\n'.repeat(HEADER_LINES_MAX)}${told}\r\n`,
  );
  await answerTo('what is this');
  const lines = readFileSync(path.join(daemon.home, 'Log/websocket.log'), 'utf8')
    .split('\n')
    .filter((line) => line.includes('"203.0.113.77"') || line.includes('http.malformed'))
    .map((line) => JSON.parse(line));
  expect(lines.map(({ event, reason, count }) => [event, reason, count])).toEqual([
    ['api.refused', 'UNAUTHORIZED', 1],
    ['api.refused', 'FORBIDDEN', 1],
    ['gateway.refused', 'version', 1],
    ['gateway.refused', 'path', 1],
    ['gateway.refused', 'headers', 1],
    ['api.refused', 'headers', 1],
    ['http.malformed', '400 Bad Request', 1],
  ]);
});
