import type http from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemSchema } from '../../../../src/platform/config/config-schema.js';
import { silentLog } from '../../../../src/platform/log/log.js';
import { createHttpServer, type HttpServer } from '../../../../src/worker/gateway/http-server.js';

let server: HttpServer;
let answer: (() => void) | null;
let sockets: Socket[];
let port: number;

beforeEach(async () => {
  answer = null;
  sockets = [];
  server = createHttpServer(() => systemSchema.parse({ Host: '127.0.0.1', Port: 0 }), silentLog, {
    onRequest(_req: http.IncomingMessage, res: http.ServerResponse) {
      answer = () => res.end('done');
    },
    onContinue() {},
    onUpgrade() {},
  });
  port = portOf(await server.listen());
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await server.close();
});

function respond(): void {
  answer?.();
  answer = null;
}

function portOf(address: string): number {
  return Number(address.split(':').at(-1));
}

/** A call on a connection that is to be kept; resolves with all that was answered when the server closes it. */
function call(): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n');
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}

async function until(happened: () => boolean): Promise<void> {
  while (!happened()) await new Promise((resolve) => setImmediate(resolve));
}

test('a call that is under way when no more connections are taken is answered, and told that none follows', async () => {
  const answered = call();
  await until(() => answer !== null);
  const closed = server.close();
  answer?.();
  expect(await answered).toMatch(/^HTTP\/1.1 200 OK\r\n(.*\r\n)*Connection: close\r\n(.*\r\n)*\r\ndone$/);
  await closed;
});

test('listens again after it was closed, also when it was not', async () => {
  expect(portOf(await server.listen())).toBe(port);
  await server.close();
  port = portOf(await server.listen());
  const answered = call();
  await until(() => answer !== null);
  const closed = server.close();
  answer?.();
  expect(await answered).toContain('done');
  await closed;
});

test('a connection whose first call is still on its way when no more are taken is served, one that was kept is closed', async () => {
  const first = call();
  await until(() => answer !== null);
  respond();
  const late = connect(port, '127.0.0.1');
  sockets.push(late);
  await new Promise((resolve) => late.once('connect', resolve));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const closed = server.close();
  expect(await first).toMatch(/done$/);
  let text = '';
  late.on('data', (chunk) => {
    text += chunk.toString();
  });
  const ended = new Promise((resolve) => late.once('close', resolve));
  late.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => answer !== null);
  respond();
  await closed;
  await ended;
  expect(text).toMatch(/^HTTP\/1.1 200 OK\r\n(.*\r\n)*Connection: close\r\n/);
});
