import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PIPELINED_MAX } from '../../../../src/worker/gateway/http-connections.js';
import { isHandshake } from '../../../../src/worker/gateway/upgrade-offers.js';
import { HttpSite, until } from '../../../support/http-site.js';

let site: HttpSite;

beforeEach(async () => {
  site = await HttpSite.open();
});
afterEach(() => site.dispose());

/** What a proxy that puts these two lines on everything makes of a call. */
const OFFER = 'Host: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n';
const HANDSHAKE = `${OFFER}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n`;
const get = (path: string): string => `GET ${path} HTTP/1.1\r\n${OFFER}\r\n`;
const post = (path: string, body: string): string =>
  `POST ${path} HTTP/1.1\r\n${OFFER}Content-Length: ${body.length}\r\n\r\n${body}`;
const chunked = (path: string, body: string): string =>
  `POST ${path} HTTP/1.1\r\n${OFFER}Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;

const answers = (text: string): number => text.split('HTTP/1.1 200 OK').length - 1;

test.each([
  ['GET', { upgrade: 'websocket', 'sec-websocket-key': 'x' }, true],
  ['GET', { upgrade: 'h2c, WebSocket', 'sec-websocket-key': 'x' }, true],
  ['GET', { upgrade: 'websocket' }, false],
  ['GET', { upgrade: 'h2c', 'sec-websocket-key': 'x' }, false],
  ['GET', { 'sec-websocket-key': 'x' }, false],
  ['POST', { upgrade: 'websocket', 'sec-websocket-key': 'x' }, false],
])('%s with %o is a handshake: %s', (method, headers, expected) => {
  expect(isHandshake({ method, headers })).toBe(expected);
});

describe('a call that offers an upgrade is a call', () => {
  test.each([
    ['websocket'],
    ['h2c'],
    ['TLS/1.2'],
    ['h2c, websocket'],
  ])('%s, with and without a body', async (offer) => {
    const client = await site.client();
    for (const call of [get('/a'), post('/b', 'hello'), chunked('/c', 'hello')]) {
      client.text = '';
      client.socket.write(call.replace('websocket', offer));
      await site.answer();
      await until(() => client.text.includes('done'));
      expect(client.text).not.toContain('Connection: close');
    }
    expect(site.requests.map(({ url, body }) => [url, body])).toEqual([
      ['/a', ''],
      ['/b', 'hello'],
      ['/c', 'hello'],
    ]);
    expect([client.ended, site.upgraded.length]).toEqual([false, 0]);
  });

  test('however its bytes arrive, and those of the next', async () => {
    const all = Buffer.from(post('/a', 'one') + get('/b') + chunked('/c', 'three') + post('/d', 'four'));
    for (const size of [1, 7, 64, 150, all.length]) {
      site.requests.length = 0;
      const client = await site.client();
      client.socket.setNoDelay(true);
      for (let at = 0; at < all.length; at += size) {
        client.socket.write(all.subarray(at, at + size));
        await new Promise((resolve) => setImmediate(resolve));
      }
      for (let n = 0; n < 4; n += 1) await site.answer();
      await until(() => answers(client.text) === 4);
      expect(site.requests.map(({ url, body }) => url + body)).toEqual(['/aone', '/b', '/cthree', '/dfour']);
      client.socket.destroy();
    }
  });

  test('and counts: more of them at once than the limit end the connection', async () => {
    const client = await site.client();
    client.socket.write(get('/').repeat(PIPELINED_MAX + 5));
    await until(() => client.ended);
    expect([site.requests.length, site.refused]).toEqual([PIPELINED_MAX, ['pipelined']]);
  });

  test('and may be the last one', async () => {
    const client = await site.client();
    client.socket.write(get('/').replace('upgrade\r\n', 'upgrade, close\r\n'));
    await site.answer();
    await until(() => client.ended);
    expect(client.text).toContain('Connection: close');
  });

  test('whose connection goes to another Worker behind it', async () => {
    const client = await site.client();
    client.socket.write(post('/', 'hello'));
    await site.answer();
    await until(() => client.text.includes('done'));
    const half = await site.client();
    half.socket.write(post('/', 'hello').slice(0, -2));
    await until(() => site.calls.length === 1);
    const left = site.server.leave();
    await until(() => site.givenBack.length === 1);
    half.socket.write('lo');
    await site.answer();
    await left;
    expect(site.givenBack.length).toBe(2);
  });

  test('before a handshake, which is one all the same, with what comes behind it', async () => {
    const client = await site.client();
    client.socket.write(post('/', 'hello'));
    await site.answer();
    await until(() => client.text.includes('done'));
    client.socket.write(`GET / HTTP/1.1\r\n${HANDSHAKE}\r\nframes`);
    await until(() => site.upgraded.length === 1);
    expect(site.heads).toEqual(['frames']);
    expect(site.requests.length).toBe(1);
  });

  test('before a handshake that does not wait for its answer: the connection is closed', async () => {
    const client = await site.client();
    client.socket.write(`${post('/', 'hello')}GET / HTTP/1.1\r\n${HANDSHAKE}\r\nframes`);
    await until(() => client.ended);
    expect([site.upgraded.length, client.text, site.refused]).toEqual([0, '', ['pipelined']]);
  });

  test.each([
    ['behind it', `${get('/')}what is this`, /^HTTP\/1.1 200 OK\r\n(.*\r\n)*\r\ndoneHTTP\/1.1 400 /],
    [
      'in the middle of the next head',
      `${get('/')}GET / HTTP/1.1\r\nHost: a\r\nb a d\r\n\r\n`,
      /^HTTP\/1.1 200 OK\r\n(.*\r\n)*\r\ndoneHTTP\/1.1 400 /,
    ],
    ['in its body', chunked('/', 'hello').replace('\r\n0\r\n', '\r\nx\r\n'), /^HTTP\/1.1 400 /],
  ])('and what is no HTTP %s ends the connection', async (_where, text, answers) => {
    for (const at of [text.length, text.length - 6]) {
      const client = await site.client();
      client.socket.write(text.slice(0, at));
      await new Promise((resolve) => setTimeout(resolve, 20));
      client.socket.write(text.slice(at));
      if (answers.source.includes('200')) await site.answer();
      await until(() => client.ended);
      expect(client.text).toMatch(answers);
    }
    site.calls.length = 0;
    // Its neighbours are served, also with the same parser.
    for (let n = 0; n < 5; n += 1) expect((await site.keptClient()).text).toContain('done');
  });
});

test.each([
  ['http://push.example.com/api/x?y=1', '/api/x?y=1', 'push.example.com'],
  ['HTTP://push.example.com:9501', '/', 'push.example.com:9501'],
  ['https://[::1]?y', '/?y', '[::1]'],
  ['/api/x', '/api/x', 'a'],
])('the target %s is %s at %s', async (target, url, host) => {
  const client = await site.client();
  client.socket.write(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
  await site.answer();
  expect(site.requests).toEqual([{ method: 'GET', url, host, body: '' }]);
});

test('an expectation that cannot be met is refused, and the connection ends', async () => {
  const client = await site.client();
  client.socket.write('POST / HTTP/1.1\r\nHost: a\r\nExpect: a-miracle\r\nContent-Length: 5\r\n\r\nhello');
  await until(() => client.ended);
  expect(client.text).toMatch(/^HTTP\/1.1 417 /);
});
