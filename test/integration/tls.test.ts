import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Daemon } from '../support/daemon.js';
import { WsClient } from '../support/ws-client.js';

let folder: string;
let daemon: Daemon;

/** A certificate for 127.0.0.1 whose name tells which one it is. */
function makeCertificate(name: string): void {
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`].concat([
      '-addext',
      'subjectAltName=IP:127.0.0.1',
      '-keyout',
      path.join(folder, 'key.pem'),
      '-out',
      path.join(folder, 'cert.pem'),
    ]),
    { stdio: 'ignore' },
  );
}

function certificateName(): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: daemon.port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'spush-tls-'));
  makeCertificate('first');
  daemon = await Daemon.start({
    env: { SPUSH_TLS_CERT: path.join(folder, 'cert.pem'), SPUSH_TLS_KEY: path.join(folder, 'key.pem') },
  });
});

afterAll(async () => {
  await daemon.dispose();
  rmSync(folder, { recursive: true });
});

test('wss works without nginx, and a renewed certificate is taken without closing anybody', async () => {
  const client = await WsClient.connect(`wss://127.0.0.1:${daemon.port}/`, { rejectUnauthorized: false });
  expect((await client.ask('login', { ukey: 'dev-5', ack: true })).code).toBe(200);
  expect(await certificateName()).toBe('first');
  makeCertificate('second');
  process.kill(daemon.masterPid, 'SIGHUP');
  await expect.poll(certificateName).toBe('second');
  expect((await client.ask('ping')).code).toBe(200);
  await client.close();
});

test('calls that offer an upgrade are calls over TLS too, one behind the other', async () => {
  const offer =
    'GET /healthz HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n';
  const socket = connect({ port: daemon.port, host: '127.0.0.1', rejectUnauthorized: false });
  let text = '';
  socket.on('data', (part: Buffer) => {
    text += part.toString();
  });
  socket.write(offer.repeat(3));
  await expect.poll(() => text.split('HTTP/1.1 200 OK').length - 1, { timeout: 10_000 }).toBe(3);
  socket.destroy();
});

/** A client that has written this, and reads only when it is told to. */
function tlsClient(text: string): Promise<{ socket: TLSSocket; read: () => Promise<string> }> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: daemon.port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      socket.write(text);
      const read = (): Promise<string> =>
        new Promise((done, fail) => {
          let all = '';
          socket.on('data', (chunk: Buffer) => {
            all += chunk.toString();
          });
          socket.on('error', fail);
          socket.on('close', () => done(all));
        });
      resolve({ socket, read });
    });
    socket.once('error', reject);
    socket.pause();
  });
}

test('what a client does not take holds up a stop for a few seconds, and who trickles is told so inside TLS', async () => {
  const call = 'GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n';
  const stuck = await tlsClient('');
  for (let n = 0; n < 40; n += 1) {
    stuck.socket.write(call.repeat(8));
    await sleep(50);
  }
  const trickling = await tlsClient(
    'POST /api/comment/message HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{',
  );
  trickling.socket.resume();
  const told = trickling.read();
  const begun = performance.now();
  expect(await daemon.stop()).toBe(0);
  expect((performance.now() - begun) / 1000).toBeLessThan(10);
  expect(await told).toMatch(/^HTTP\/1\.1 408 /);
  stuck.socket.destroy();
}, 60_000);
