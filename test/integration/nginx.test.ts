/** The sample of deploy/ in a real nginx, in front of a real spush. */
import { request } from 'node:http';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Daemon } from '../support/daemon.js';
import { Nginx } from '../support/nginx.js';
import { outsideProgram } from '../support/outside-program.js';
import { RefusedError, WsClient } from '../support/ws-client.js';

const nginxProgram = outsideProgram('nginx', 'apt-get install nginx-light');
/** An address of this machine that is not loopback, as clients have; loopback is free of budgets. */
const outside = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

const LINKS_PER_ADDRESS = 2;
const FORGED = {
  'x-real-ip': '203.0.113.9',
  'x-forwarded-for': '203.0.113.9, 127.0.0.1',
  forwarded: 'for=203.0.113.9',
};

interface Answer {
  readonly status: number;
  readonly text: string;
}

describe.skipIf(nginxProgram === null)('behind nginx', () => {
  let daemon: Daemon;
  let nginx: Nginx;
  const wsUrl = (host = '127.0.0.1'): string => `ws://${host}:${nginx.port}/`;

  beforeAll(async () => {
    daemon = await Daemon.start({
      env: {
        SPUSH_WORKER_NUM: '1',
        // The proxy alone; clients come from other addresses of this machine, which must not be believed.
        SPUSH_TRUSTED_PROXIES: '["127.0.0.1"]',
        SPUSH_LINKS_PER_ADDRESS: String(LINKS_PER_ADDRESS),
        // The name by which clients from there call, which nginx passes on.
        SPUSH_API_ORIGINS: JSON.stringify(outside === undefined ? [] : [`http://${outside}`]),
        SPUSH_API_ALLOW: '["203.0.113.0/24","127.0.0.1"]',
      },
    });
    nginx = await Nginx.start(nginxProgram ?? '', daemon.port);
  });
  afterAll(async () => {
    await nginx?.stop();
    await daemon?.dispose();
  });

  /** A call from an address of this machine. */
  function call(
    path: string,
    options: { from?: string; method?: string; headers?: Record<string, string> } = {},
  ) {
    const { from = '127.0.0.1', method = 'GET', headers = {} } = options;
    return new Promise<Answer>((resolve, reject) => {
      const body = method === 'POST' ? JSON.stringify({ uid: 1, title: 'hello' }) : '';
      const call = request({
        host: '127.0.0.1',
        port: nginx.port,
        localAddress: from,
        path,
        method,
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          ...headers,
        },
      });
      call.once('error', reject);
      call.once('response', (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => {
          text += part;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      });
      call.end(body);
    });
  }

  test('a silent client stays for longer than a minute, and is reached then', {
    timeout: 120_000,
  }, async () => {
    const client = await WsClient.login(wsUrl(), 176906);
    const frames = client.frames.length;
    await sleep(65_000);
    expect(client.closed).toBeNull();
    expect(client.frames.length).toBe(frames);
    const { status } = await daemon.post('/api/comment/message', { uid: 176906, title: 'still there?' });
    expect(status).toBe(200);
    expect((await client.untilItems(1))[0]?.title).toBe('still there?');
    await client.close();
    expect(nginx.accessLog()).toContainEqual(expect.stringMatching(/^127\.0\.0\.1 .* GET \/ 101 /));
  });

  test('calls of the site pass, and are not mistaken for upgrades', async () => {
    const answer = await call('/api/comment/message', { method: 'POST' });
    expect(answer).toMatchObject({ status: 200, text: expect.stringContaining('"accepted":1') });
    expect((await call('/healthz')).status).toBe(200);
  });

  test('spush sees the address of the client, whatever the client says it is', async () => {
    for (const headers of [{}, FORGED]) {
      const answer = await call('/api/comment/message', { method: 'POST', from: '127.0.0.2', headers });
      expect(answer.status).toBe(403);
      expect(answer.text).toContain('address 127.0.0.2 is not in allow');
    }
  });

  test.skipIf(outside === undefined)(
    'a client with forged addresses does not get past its budget of connections',
    async () => {
      const open: WsClient[] = [];
      for (let i = 0; i < LINKS_PER_ADDRESS; i += 1) open.push(await WsClient.connect(wsUrl(outside)));
      const refused = await WsClient.connect(wsUrl(outside), { headers: FORGED }).catch(
        (error: unknown) => error,
      );
      expect(refused).toBeInstanceOf(RefusedError);
      expect((refused as RefusedError).status).toBe(429);
      expect((refused as RefusedError).retryAfter).toBeDefined();
      // From another address there is room.
      await (await WsClient.connect(wsUrl())).close();
      for (const client of open) await client.close();
    },
  );

  test.each([
    '/metrics',
    '/metrics/',
    '//metrics',
    '/%6detrics',
    '/admin',
    '/admin/x',
  ])('%s is closed', async (path) => {
    const answer = await call(path, { headers: { 'x-real-ip': '127.0.0.1' } });
    expect(answer.status).toBe(403);
    expect(answer.text).not.toContain('spush_');
  });
});
