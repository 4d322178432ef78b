/** PUSHENV 0 as it starts by default: for this machine, and not for the pages that its browsers show. */
import { request } from 'node:http';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Daemon } from '../support/daemon.js';
import { WsClient } from '../support/ws-client.js';

const PATH = '/api/comment/message';
const BODY = JSON.stringify({ uid: 1, title: 'x' });

let daemon: Daemon;

beforeAll(async () => {
  daemon = await Daemon.prepare({ env: { PUSHENV: '0', SPUSH_WORKER_NUM: '1', SPUSH_TASK_WORKER_NUM: '1' } });
  delete daemon.environment['SPUSH_HOST'];
  await daemon.start();
});
afterAll(() => daemon?.dispose());

interface Asking {
  readonly host?: string;
  readonly headers?: Record<string, string>;
  readonly method?: string;
  readonly path?: string;
}

/** The status; a WebSocket is 101, a connection that is refused 0. */
function statusOf({
  host = '127.0.0.1',
  headers = {},
  method = 'POST',
  path = PATH,
}: Asking): Promise<number> {
  return new Promise((resolve) => {
    const call = request({ host, port: daemon.port, path, method, headers, agent: false });
    call.on('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    call.on('upgrade', (_response, socket) => {
      socket.destroy();
      resolve(101);
    });
    call.on('error', () => resolve(0));
    call.end(method === 'POST' ? BODY : undefined);
  });
}

const JSON_TYPE = { 'content-type': 'application/json' };
const UPGRADE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

function addresses(family: 'IPv4' | 'IPv6', internal: boolean): string[] {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(
      (each) => each.family === family && each.internal === internal && !each.address.startsWith('fe80'),
    )
    .map(({ address }) => address);
}

describe('by default', () => {
  test('it listens on this machine only, and says so', async () => {
    expect(daemon.output).toMatch(
      /listen address\s+127\.0\.0\.1:\d+ \(this machine only, until Host is set\)/,
    );
    expect(await statusOf({ headers: JSON_TYPE })).toBe(200);
    if (addresses('IPv6', true).includes('::1'))
      expect(await statusOf({ host: '::1', headers: JSON_TYPE })).toBe(200);
    for (const host of addresses('IPv4', false)) expect(await statusOf({ host, headers: JSON_TYPE })).toBe(0);
  });

  test('a header of signatures opens nothing that looks at no signature', async () => {
    for (const path of ['/metrics', '/readyz']) {
      const asking = { method: 'GET', path };
      expect(await statusOf(asking)).toBe(200);
      const headers = { host: `evil.example:${daemon.port}`, 'x-spush-key': 'x' };
      expect(await statusOf({ ...asking, headers })).toBe(path === '/metrics' ? 403 : 200);
    }
  });

  test('a page of another site calls and connects as little as one under a name of its own', async () => {
    const port = daemon.port;
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { host: `evil.example:${port}` },
      { host: `evil.example:${port}`, origin: `http://evil.example:${port}` },
    ]) {
      expect(await statusOf({ headers: { ...JSON_TYPE, ...headers } })).toBe(403);
      expect(await statusOf({ method: 'GET', path: '/api/user/1', headers })).toBe(403);
      expect(await statusOf({ method: 'GET', path: '/metrics', headers })).toBe(403);
      expect(await statusOf({ method: 'GET', path: '/', headers: { ...UPGRADE, ...headers } })).toBe(403);
    }
  });

  test('pages of this machine, and programs, do', async () => {
    for (const headers of [
      {},
      { origin: 'http://localhost:5173' },
      { host: 'localhost', origin: 'http://[::1]:3000' },
    ]) {
      expect(await statusOf({ headers: { ...JSON_TYPE, ...headers } })).toBe(200);
      expect(await statusOf({ method: 'GET', path: '/', headers: { ...UPGRADE, ...headers } })).toBe(101);
    }
    const reader = await WsClient.login(daemon.wsUrl, 5);
    await reader.close();
  });
});
