import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { BODY_BYTES_MAX, LOOK_MS, WINDOW_LOOKS } from '../../../../src/worker/api/body.js';
import { RawSocket } from '../../../support/raw-socket.js';
import { readStrictly } from '../../../support/strict-json.js';
import { ApiHarness } from './api-harness.js';

const PATH = '/api/comment/message';
const HEAD = `POST ${PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`;
const message = JSON.stringify({ uid: 1, title: 'x' });

let api: ApiHarness;

beforeEach(async () => {
  api = await ApiHarness.open();
});

afterEach(() => api.close());

function answered(raw: RawSocket, status: number): Promise<void> {
  return raw.until(() => raw.text.includes(`HTTP/1.1 ${status} `) && raw.text.includes('"code"'));
}

async function counted(status: number): Promise<void> {
  await vi.waitFor(async () => {
    expect(await api.metrics.registry.metrics()).toContain(
      `spush_http_requests_total{path="${PATH}",status="${status}"} 1`,
    );
  });
}

describe('a body', () => {
  test.each([
    ['nothing', '', 'application/json', 400],
    ['half a JSON text', '{"uid":1,"title":"x', 'application/json', 400],
    ['no JSON', 'uid=1', 'application/json', 400],
    ['a JSON list', '[]', 'application/json', 400],
    ['JSON null', 'null', 'application/json', 400],
    ['XML', '<xml/>', 'text/xml', 415],
    ['JSON in another charset', message, 'application/json; charset=gbk', 415],
    ['no type worth the name', message, 'json', 415],
    ['a multipart form', message, 'multipart/form-data; boundary=x', 415],
    ['JSON', message, 'application/json; charset="UTF-8"', 200],
    ['JSON by another spelling', message, 'Application/JSON;charset=utf8', 200],
    ['JSON with a byte order mark', `\ufeff${message}`, 'application/json', 200],
  ])('of %s has its code', async (_what, body, type, status) => {
    const answer = await api.post(PATH, body, { 'content-type': type });
    expect(answer.status).toBe(status);
    expect(answer.body.code).toBe(status);
    expect(answer.body.msg.length).toBeGreaterThan(5);
  });

  /** A title cut in bytes, in the middle of an emoji. */
  const CUT = Buffer.from('cut 😀').subarray(0, -2);
  const bytes = (...parts: (string | Buffer)[]) => Buffer.concat(parts.map((part) => Buffer.from(part)));

  test.each([
    ['JSON', bytes('{"uid":1,"title":"', CUT, '","content":"c"}'), 'title', 0, 22],
    ['JSON after a byte order mark', bytes('\ufeff{"uid":1,"title":"', CUT, '"}'), 'title', 0, 25],
    ['JSON with bytes of no UTF-8', bytes('{"uid":1,"title":"', Buffer.from([0xff]), '"}'), 'title', 0, 18],
    [
      'a surrogate in three bytes',
      bytes('{"uid":1,"title":"', Buffer.from([0xed, 0xa0, 0xbd]), '"}'),
      'title',
      0,
      18,
    ],
    [
      'a batch',
      bytes('{"messages":[{"uid":1,"title":"x\ufffd"},{"uid":1,"data":{"a":["b","', CUT, '"]}}]}'),
      'data.a.1',
      1,
      69,
    ],
    ['a name', bytes('{"uid":1,"title":"x","data":{"', CUT, '":1}}'), 'data', 0, 34],
  ])('of %s that is not UTF-8 is refused, naming field and byte', async (_what, body, path, index, byte) => {
    const headers = { 'content-type': 'application/json' };
    const answer = await api.call(PATH, { method: 'POST', body, headers });
    expect(answer.status).toBe(400);
    expect(answer.body.data['errors']).toEqual([
      { index, path, message: expect.stringContaining(`is not UTF-8 at byte ${byte} of the body`) },
    ]);
    expect(api.accepted).toEqual([]);
  });

  test.each([
    [
      'a form',
      'application/x-www-form-urlencoded',
      bytes('uid=1&title=', CUT, '&content=c'),
      'title: is not UTF-8',
    ],
    ['what is no JSON either', 'application/json', bytes('{"uid":1,"title":"', CUT), 'the body is not UTF-8'],
    ['one byte', 'application/json', Buffer.from([0xff]), 'the body is not UTF-8'],
    ['one byte of a form', 'application/x-www-form-urlencoded', Buffer.from([0xff]), 'is not UTF-8'],
  ])('of %s that is not UTF-8 is refused', async (_what, type, body, named) => {
    const answer = await api.call(PATH, { method: 'POST', body, headers: { 'content-type': type } });
    expect(answer.status).toBe(400);
    expect(answer.body.msg).toContain(named);
  });

  test('that is not JSON is refused with an answer that a strict parser reads', async () => {
    const headers = { 'content-type': 'application/json' };
    for (const body of ['{"uid":1,"title":😀}', '😀', '{"uid":1,"😀', `{"a":${'😀'.repeat(50)}`]) {
      const response = await fetch(`${api.url}${PATH}`, { method: 'POST', body, headers });
      expect(response.status).toBe(400);
      readStrictly(await response.text());
    }
  });

  test('that names a field twice is refused: it would be luck who gets the message', async () => {
    const twice = async (body: string) => (await api.post(PATH, body)).body;
    expect(await twice('{"uid":1,"uid":2,"title":"x"}')).toMatchObject({
      code: 400,
      data: { errors: [{ index: 0, path: 'uid', message: 'is there twice' }] },
    });
    expect(
      await twice('{"messages":[{"uid":1,"title":"x"},{"uid":1,"title":"x","t\\u0069tle":"y"}]}'),
    ).toMatchObject({ code: 400, data: { errors: [{ index: 1, path: 'title' }] } });
    expect(await twice('{"uid":1,"title":"x","data":{},"data":null}')).toMatchObject({ code: 400 });
    expect(await twice('{"messages":[],"messages":[{"uid":1,"title":"x"}]}')).toMatchObject({ code: 400 });
    expect(api.accepted).toEqual([]);
  });

  test('of multipart is refused with what PHP has to do instead', async () => {
    const form = new FormData();
    form.append('uid', '5');
    const response = await fetch(`${api.url}${PATH}`, { method: 'POST', body: form });
    expect(response.status).toBe(415);
    expect(await response.text()).toContain('http_build_query');
  });

  test('that is compressed is refused', async () => {
    const answer = await api.post(PATH, message, { 'content-encoding': 'gzip' });
    expect(answer.status).toBe(415);
  });

  test('without a type is refused, as empty when it is empty', async () => {
    const raw = await RawSocket.open(api.port);
    raw.socket.write(`POST ${PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}`);
    await answered(raw, 415);
    raw.destroy();
    const empty = await RawSocket.open(api.port);
    empty.socket.write(`POST ${PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`);
    await answered(empty, 400);
    empty.destroy();
  });

  test('of exactly 2 MiB is read; a byte more is 413', async () => {
    const padded = (bytes: number) => `${message.slice(0, -1)}${' '.repeat(bytes - message.length)}}`;
    expect((await api.post(PATH, padded(BODY_BYTES_MAX))).status).toBe(200);
    const answer = await api.post(PATH, padded(BODY_BYTES_MAX + 1));
    expect(answer.status).toBe(413);
    expect(answer.headers.get('connection')).toBe('close');
  });

  test('of 3 MiB is 413, and the caller that sends it all can read so', async () => {
    for (let n = 0; n < 5; n += 1) {
      expect((await api.post(PATH, 'x'.repeat(3 << 20))).status).toBe(413);
    }
  });

  test('that is refused may still be sent: the connection ends in peace, so the answer is not lost', async () => {
    const raw = await RawSocket.open(api.port);
    const errors: Error[] = [];
    raw.socket.on('error', (error) => errors.push(error));
    raw.socket.write(`${HEAD}Content-Length: 3000000\r\n\r\n`);
    await answered(raw, 413);
    raw.socket.write(Buffer.alloc(1_500_000));
    raw.socket.write(Buffer.alloc(1_500_000));
    await raw.until(() => raw.closed);
    expect(errors).toEqual([]);
  });

  test('leaves the budget when its call is done, whatever became of it', async () => {
    const large = ' '.repeat(BODY_BYTES_MAX);
    for (let n = 0; n < 40; n += 1) expect((await api.post(PATH, large)).status).toBe(400);
  });

  test('that is announced as too long is refused at once', async () => {
    const raw = await RawSocket.open(api.port);
    raw.socket.write(`${HEAD}Content-Length: 3000000\r\n\r\n`);
    await answered(raw, 413);
    expect(raw.text).toContain('3000000 bytes');
    raw.destroy();
  });

  test('that is not announced is refused while it is read', async () => {
    const raw = await RawSocket.open(api.port);
    raw.socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`);
    const chunk = 'x'.repeat(65_536);
    for (let n = 0; n < 40; n += 1) raw.socket.write(`10000\r\n${chunk}\r\n`);
    await answered(raw, 413);
    raw.socket.write('0\r\n\r\n');
    await raw.until(() => raw.closed);
  });

  test('whose caller leaves in the middle ends quietly', async () => {
    const raw = await RawSocket.open(api.port);
    raw.socket.write(`${HEAD}Content-Length: 100\r\n\r\n{"uid":`);
    await vi.waitFor(() => expect(api.stats.requests).toBe(1));
    raw.destroy();
    await counted(499);
    expect(api.logged).toEqual([]);
    expect((await api.post(PATH, message)).status).toBe(200);
  });

  test('that stops arriving is ended by the server’s requestTimeout, and nothing of it stays', async () => {
    await api.close();
    api = await ApiHarness.open({ server: { requestTimeout: 100, connectionsCheckingInterval: 20 } });
    const raw = await RawSocket.open(api.port);
    raw.socket.write(`${HEAD}Content-Length: 100\r\n\r\n{"uid":`);
    await raw.until(() => raw.closed);
    expect(raw.text).toContain('HTTP/1.1 408 ');
    await counted(499);
    expect((await api.post(PATH, message)).status).toBe(200);
  });
});

describe('a body that comes in pieces', () => {
  test('of one byte each is refused soon, and costs no more than it should while it is read', async () => {
    const raw = await RawSocket.open(api.port);
    raw.socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`);
    raw.socket.write('1\r\nx\r\n'.repeat(20_000));
    await answered(raw, 400);
    expect(raw.text).toContain('1041 pieces for 1041 bytes');
    await raw.until(() => raw.closed);
  });

  test('of a packet each is read', async () => {
    const raw = await RawSocket.open(api.port);
    raw.socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`);
    for (const char of message) raw.socket.write(`1\r\n${char}\r\n`);
    raw.socket.write(`1000\r\n${' '.repeat(4096)}\r\n0\r\n\r\n`);
    await answered(raw, 200);
    raw.destroy();
  });

  test('too slowly is ended with 408, whether its length was announced or not', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const half = `${HEAD}Content-Length: 100000\r\n\r\n${'x'.repeat(50_000)}`;
    const chunked = `${HEAD}Transfer-Encoding: chunked\r\n\r\nc350\r\n${'x'.repeat(50_000)}\r\n`;
    const raws = [await RawSocket.open(api.port), await RawSocket.open(api.port)];
    for (const [k, raw] of raws.entries()) raw.socket.write(k === 0 ? half : chunked);
    while (vi.getTimerCount() < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    vi.advanceTimersByTime(WINDOW_LOOKS * LOOK_MS - 1);
    expect(vi.getTimerCount()).toBe(2);
    vi.advanceTimersByTime(1);
    for (const raw of raws) {
      await answered(raw, 408);
      await raw.until(() => raw.closed);
    }
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a caller that waits for 100 Continue', () => {
  test('is told to send when its head is good', async () => {
    const call = request(`${api.url}${PATH}`, {
      method: 'POST',
      headers: { expect: '100-continue', 'content-type': 'application/json' },
    });
    call.flushHeaders();
    await new Promise((resolve) => call.once('continue', resolve));
    call.end(message);
    const response = await new Promise<{ statusCode?: number | undefined }>((resolve) =>
      call.once('response', resolve),
    );
    expect(response.statusCode).toBe(200);
  });

  test('is refused for a body that it announces too large, before it sends it', async () => {
    const raw = await RawSocket.open(api.port);
    raw.socket.write(`${HEAD}Expect: 100-continue\r\nContent-Length: 3000000\r\n\r\n`);
    await answered(raw, 413);
    await raw.until(() => raw.closed);
    expect(raw.text).not.toContain('100 Continue');
  });

  test('is refused without having sent anything', async () => {
    const raw = await RawSocket.open(api.port);
    raw.socket.write(`${HEAD}Expect: 100-continue\r\nContent-Length: 3000000\r\nX-Spush-Key: x\r\n\r\n`);
    await answered(raw, 401);
    await raw.until(() => raw.closed);
    expect(raw.text).not.toContain('100 Continue');
  });
});
