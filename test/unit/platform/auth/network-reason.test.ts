/** Real failures of the network, as people read of them: the reason in words, the system's code, never the address. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { callGzcp, createGzcpAgent } from '../../../../src/platform/auth/gzcp-call.js';
import { networkReason } from '../../../../src/platform/auth/network-reason.js';
import { tempFolder } from '../../../support/temp-folder.js';

let server: Server | null = null;

afterEach(() => {
  server?.close();
  server = null;
});

async function listening(made: Server): Promise<number> {
  server = made.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function reasonOf(base: string): Promise<string> {
  const url = new URL(`${base}/x?loginkey=the-key&token=the-token`);
  const options = { agent: createGzcpAgent(url), deadlineMs: 3000, onRequest() {} };
  const result = await callGzcp(url, {}, options);
  if (result.is !== 'failed') throw new Error(`expected a failure, got ${result.is}`);
  expect(result.reason).not.toMatch(/the-key|the-token|127\.0\.0\.1/);
  return result.reason;
}

function certificate(): { key: Buffer; cert: Buffer } {
  const folder = tempFolder({});
  const [key, cert] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')];
  const words = 'req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=gzcp.example -keyout'.split(' ');
  execFileSync('openssl', [...words, key, '-out', cert], { stdio: 'ignore' });
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

test('a port where nobody listens', async () => {
  const port = await listening(http.createServer());
  await new Promise((resolve) => server?.close(resolve));
  expect(await reasonOf(`http://127.0.0.1:${port}`)).toBe('the connection is refused (ECONNREFUSED)');
});

test('a name that DNS does not know', async () => {
  expect(await reasonOf('http://no-such-host.invalid')).toMatch(/DNS.*\((ENOTFOUND|EAI_AGAIN)\)$/);
});

test('a certificate that nobody trusts', async () => {
  const port = await listening(https.createServer(certificate()));
  expect(await reasonOf(`https://127.0.0.1:${port}`)).toBe(
    'TLS: the certificate is self-signed (DEPTH_ZERO_SELF_SIGNED_CERT)',
  );
});

test('a server that speaks no TLS', async () => {
  const port = await listening(http.createServer());
  expect(await reasonOf(`https://127.0.0.1:${port}`)).toMatch(/^TLS.* \((EPROTO|ERR_SSL_\w+)\)$/);
});

test('a connection that is closed in the middle', async () => {
  const port = await listening(http.createServer((req) => req.socket.destroy()));
  expect(await reasonOf(`http://127.0.0.1:${port}`)).toBe('the connection was broken (ECONNRESET)');
});

test('a TLS handshake that fails', async () => {
  const oldest = { ...certificate(), maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA256' } as const;
  const port = await listening(https.createServer(oldest));
  const url = new URL(`https://127.0.0.1:${port}`);
  const agent = new https.Agent({ ciphers: 'ECDHE-RSA-AES256-GCM-SHA384', maxVersion: 'TLSv1.2' });
  const result = await callGzcp(url, {}, { agent, deadlineMs: 3000, onRequest() {} });
  expect(result).toMatchObject({ is: 'failed', reason: expect.stringMatching(/^TLS/) });
  expect(networkReason(Object.assign(new Error('x'), { code: 'EPROTO' }))).toBe(
    'TLS: the handshake failed (EPROTO)',
  );
});

test('an answer that changes to another protocol', async () => {
  const text = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n';
  const port = await listening(http.createServer((req) => req.socket.write(text)));
  expect(await reasonOf(`http://127.0.0.1:${port}`)).toBe(
    'the connection was closed without an answer (NO_ANSWER)',
  );
});

test('what has no code, or one without words', () => {
  expect(networkReason(new TypeError('https://a.example/?loginkey=k'))).toBe('network (TypeError)');
  expect(networkReason('https://a.example/?loginkey=k')).toBe('network (string)');
  expect(networkReason(Object.assign(new Error('x'), { code: 'EMFILE' }))).toBe('network (EMFILE)');
  const other = Object.assign(new Error('x'), { code: 'ERR_TLS_HANDSHAKE_TIMEOUT' });
  expect(networkReason(other)).toBe('TLS failed (ERR_TLS_HANDSHAKE_TIMEOUT)');
});
