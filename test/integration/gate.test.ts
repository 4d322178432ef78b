/** What stands at the gate: who a caller is taken for, how many may come, and what of a request's head counts. */
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
const PUSH = `POST /api/comment/message HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${MESSAGE.length}\r\n`;

describe('a client of a proxy on this machine is not taken for this machine', () => {
  const PADDING = Array.from({ length: HEADER_LINES_MAX }, (_, i) => `A${i}: 1\r\n`).join('');
  const TOLD = 'X-Forwarded-For: 203.0.113.9\r\n';

  test.each([
    ['reads no figures', 'GET /metrics HTTP/1.1\r\nHost: a\r\n', ''],
    ['pushes nothing', PUSH, MESSAGE],
    ['is not connected without its budget', `GET / HTTP/1.1\r\nHost: a\r\n${UPGRADE}`, ''],
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
    expect(await answerTo(`GET /metrics HTTP/1.1\r\nHost: a\r\n${more}`)).toMatch(/^HTTP\/1\.1 403 /);
    expect(await answerTo(`${PUSH}${more}${MESSAGE}`)).toMatch(/^HTTP\/1\.1 401 /);
  });
});
