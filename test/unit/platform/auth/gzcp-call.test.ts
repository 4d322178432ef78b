/** What stands between the main site's answer and its number: bytes on a connection, as servers and proxies send them. */
import { createServer, type Server, type Socket } from 'node:net';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ANSWER_BYTES_MAX, callGzcp, createGzcpAgent } from '../../../../src/platform/auth/gzcp-call.js';

const USER = { is: 'user', uid: 176_906 };
const ANSWER = Buffer.from('{"code":200,"data":{"uid":176906}}');

let server: Server;
let sockets: Set<Socket>;
let requests: number;
let respond: (socket: Socket) => void;

beforeEach(async () => {
  sockets = new Set();
  requests = 0;
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (data) => {
      if (!data.includes('HTTP/1.1\r\n')) return;
      requests += 1;
      respond(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

function caller(deadlineMs = 2000) {
  const { port } = server.address() as { port: number };
  const url = new URL(`http://127.0.0.1:${port}/login?loginkey=the-key`);
  const agent = createGzcpAgent(url);
  return () => callGzcp(url, {}, { agent, deadlineMs, onRequest() {} });
}

const bytes = (...parts: (string | Buffer)[]) => Buffer.concat(parts.map((part) => Buffer.from(part)));
const ok = (body: Buffer | string, head = '') =>
  bytes(`HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${head}\r\n`, body);
/** 誠 in GBK: its second byte is a backslash. */
const GBK = Buffer.from([0xd5, 0x5c]);

describe('an answer', () => {
  test.each([
    ['plain', ok(ANSWER)],
    ['after 100 Continue', bytes('HTTP/1.1 100 Continue\r\n\r\n', ok(ANSWER))],
    ['after two of them', bytes('HTTP/1.1 100 Continue\r\n\r\n'.repeat(2), ok(ANSWER))],
    ['after 102 Processing', bytes('HTTP/1.1 102 Processing\r\n\r\n', ok(ANSWER))],
    ['after 103 Early Hints', bytes('HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n', ok(ANSWER))],
    ['in gzip', ok(gzipSync(ANSWER), 'Content-Encoding: gzip\r\n')],
    ['in gzip without its end', ok(gzipSync(ANSWER).subarray(0, -8), 'Content-Encoding: x-gzip\r\n')],
    ['in deflate', ok(deflateSync(ANSWER), 'Content-Encoding: deflate\r\n')],
    ['in raw deflate', ok(deflateRawSync(ANSWER), 'Content-Encoding: Deflate\r\n')],
    ['in brotli', ok(brotliCompressSync(ANSWER), 'Content-Encoding: br\r\n')],
    ['with byte order marks', ok(bytes('\ufeff\ufeff\ufeff', ANSWER))],
    ['with blanks around', ok(bytes('\r\n\t ', ANSWER, ' \n\n'))],
    [
      'in GBK',
      ok(
        bytes('{"msg":"', GBK, '","code":200,"data":{"uid":176906}}'),
        'Content-Type: application/json; charset=gbk\r\n',
      ),
    ],
    ['in a charset that nobody knows', ok(ANSWER, 'Content-Type: text/html; charset="x-klingon"\r\n')],
    ['as text', ok('{"code":"200","data":{"uid":"176906"}}')],
    [
      'with more in it',
      ok('{"code":200,"msg":"成功","time":1.5,"data":{"uid":176906,"name":"x","a":[]},"x":null}'),
    ],
    [
      'in chunks of a byte',
      bytes(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
        ...[...ANSWER].map((byte) => bytes('1\r\n', Buffer.from([byte]), '\r\n')),
        '0\r\n\r\n',
      ),
    ],
  ])('%s is understood', async (_how, answer) => {
    respond = (socket) => socket.write(answer);
    expect(await caller()()).toEqual(USER);
    expect(requests).toBe(1);
  });

  test('that ends with its connection is understood', async () => {
    respond = (socket) => socket.end(bytes('HTTP/1.0 200 OK\r\n\r\n', ANSWER));
    expect(await caller()()).toEqual(USER);
  });

  test('that comes in pieces is understood', async () => {
    respond = (socket) => {
      const whole = bytes('HTTP/1.1 100 Continue\r\n\r\n', ok(ANSWER));
      let at = 0;
      const next = () => {
        if (at < whole.length) socket.write(whole.subarray(at, ++at), () => setImmediate(next));
      };
      next();
    };
    expect(await caller()()).toEqual(USER);
  });

  test.each([
    ['gzip that is none', ok(ANSWER, 'Content-Encoding: gzip\r\n')],
    ['an encoding that nobody knows', ok(ANSWER, 'Content-Encoding: lzma\r\n')],
    ['gzip in gzip', ok(gzipSync(gzipSync(ANSWER)), 'Content-Encoding: gzip, gzip\r\n')],
    ['50 MB in 50 KB', ok(gzipSync(Buffer.alloc(50_000_000)), 'Content-Encoding: gzip\r\n')],
    ['64 KiB and more', ok(bytes(ANSWER, ' '.repeat(ANSWER_BYTES_MAX)))],
    ['a redirect', bytes('HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n')],
    ['404 whose body never ends', bytes('HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\n{')],
  ])('with %s is faulty, and not asked for again', async (_what, answer) => {
    respond = (socket) => socket.write(answer);
    const result = await caller()();
    expect(result).toMatchObject({ is: 'faulty' });
    expect(JSON.stringify(result)).not.toContain('the-key');
    expect(requests).toBe(1);
  });

  test.each([
    ['no HTTP', bytes('hello\r\n\r\n')],
    ['101', bytes('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n')],
    ['too many headers', bytes('HTTP/1.1 200 OK\r\n', 'A: b\r\n'.repeat(10_000))],
    ['two lengths', bytes('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}')],
  ])('with %s is asked for once more, and failed', async (_what, answer) => {
    respond = (socket) => socket.write(answer);
    expect(await caller()()).toMatchObject({
      is: 'failed',
      reason: expect.stringMatching(/^(the answer is not HTTP \(HPE_|the connection was )/),
    });
    expect(requests).toBe(2);
  });

  test.each([
    [
      'stops in its middle',
      (socket: Socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{'),
    ],
    [
      'is announced again and again',
      (socket: Socket) => {
        const more = () =>
          socket.write('HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n', () => setTimeout(more, 5));
        more();
      },
    ],
  ])('that %s is given up at the deadline', async (_what, answer) => {
    respond = answer;
    const begun = performance.now();
    expect(await caller(200)()).toEqual({ is: 'failed', reason: 'no answer within 200 ms' });
    expect(performance.now() - begun).toBeLessThan(1000);
  });
});

describe('connections that are kept', () => {
  test('are used again', async () => {
    const used = new Set<Socket>();
    respond = (socket) => {
      used.add(socket);
      socket.write(ok(ANSWER));
    };
    const call = caller();
    for (let n = 0; n < 5; n += 1) expect(await call()).toEqual(USER);
    expect(used.size).toBe(1);
  });

  test('and that the site closes as the next question comes cost nobody his login, however many there are', async () => {
    const used = new WeakSet<Socket>();
    let closing = false;
    respond = (socket) => {
      if (closing && used.has(socket)) {
        socket.destroy();
        return;
      }
      used.add(socket);
      setTimeout(() => socket.write(ok(ANSWER)), 20);
    };
    const call = caller();
    const all = () => Promise.all(Array.from({ length: 20 }, call));
    await all();
    closing = true;
    // Alone, so that there are others which a second try could be given.
    expect(await call()).toEqual(USER);
    expect(await all()).toEqual(Array(20).fill(USER));
  });
});
