/** The sample of deploy/ in a real nginx, in front of a real spush. */
import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signCall } from '../../src/platform/auth/signature.js';
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
const KEYS = { nginx: 'a secret of the test' };
const BODY = JSON.stringify({ uid: 1, title: 'hello' });
const FORGED = {
  'x-real-ip': '203.0.113.9',
  'x-forwarded-for': '203.0.113.9, 127.0.0.1',
  forwarded: 'for=203.0.113.9',
};

interface Answer {
  readonly status: number;
  readonly text: string;
}

function sign(path: string, body: string): Record<string, string> {
  const timestamp = Math.floor(Date.now() / 1000);
  const key = { id: 'nginx', secret: KEYS.nginx };
  return signCall(key, {
    method: 'POST',
    path,
    contentType: 'application/json',
    body,
    timestamp,
    nonce: randomUUID(),
  });
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
        SPUSH_API_ALLOW: JSON.stringify(['203.0.113.0/24', '127.0.0.1', outside ?? '192.0.2.1']),
        SPUSH_API_KEYS: JSON.stringify(KEYS),
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
      const body = method === 'POST' ? BODY : '';
      const call = request({
        host: from,
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

  test.skipIf(outside === undefined)(
    'calls of the site pass, and are not mistaken for upgrades',
    async () => {
      const path = '/api/comment/message';
      const headers = sign(path, BODY);
      const answer = await call(path, { method: 'POST', from: outside ?? '', headers });
      expect(answer).toMatchObject({ status: 200, text: expect.stringContaining('"accepted":1') });
      expect((await call('/healthz')).status).toBe(200);
    },
  );

  test('spush sees the address of the client, whatever the client says it is', async () => {
    for (const headers of [{}, FORGED, { ...FORGED, 'x-forwarded-for': '127.0.0.1' }]) {
      const answer = await call('/api/comment/message', { method: 'POST', from: '127.0.0.2', headers });
      expect(answer.status).toBe(403);
      expect(answer.text).toContain('address via-proxy:127.0.0.2 is not in api.allow');
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
    const answer = await call(path, { headers: { 'x-forwarded-for': '127.0.0.1' } });
    expect(answer.status).toBe(403);
    expect(answer.text).not.toContain('spush_');
  });
});

/** As the framework's documentation has it: every request asks for an upgrade. */
const UPGRADES_ALL = `
upstream spush { ip_hash; server 127.0.0.1:9501; keepalive 8; }
server {
    listen 80;
    access_log /var/log/nginx/spush.access.log;
    client_max_body_size 3m;
    location / {
        proxy_pass http://spush;
        proxy_http_version 1.1;
        proxy_set_header Upgrade websocket;
        proxy_set_header Connection "upgrade";
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_read_timeout 60s;
    }
}
`;

describe.skipIf(nginxProgram === null)('behind an nginx that asks for an upgrade on every request', () => {
  let daemon: Daemon;
  let nginx: Nginx;
  beforeAll(async () => {
    daemon = await Daemon.start({
      env: { SPUSH_WORKER_NUM: '2', SPUSH_API_KEYS: JSON.stringify(KEYS) },
    });
    nginx = await Nginx.start(nginxProgram ?? '', daemon.port, UPGRADES_ALL);
  });
  afterAll(async () => {
    await nginx?.stop();
    await daemon?.dispose();
  });

  test('calls of the site, small and large, one after the other and together', async () => {
    const path = '/api/comment/message';
    const push = async (content: string): Promise<number> => {
      const messages = Array.from({ length: 100 }, (_, n) => ({ uid: 1 + n, title: 'hello', content }));
      const body = JSON.stringify({ messages });
      const answer = await fetch(`http://127.0.0.1:${nginx.port}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...sign(path, body) },
        body,
      });
      const { data } = (await answer.json()) as { data: { accepted: number } };
      return answer.status * 1000 + data.accepted;
    };
    for (const length of [1, 100, 8000]) expect(await push('x'.repeat(length))).toBe(200_100);
    const together = await Promise.all(Array.from({ length: 20 }, () => push('hello')));
    expect(together).toEqual(Array(20).fill(200_100));
    expect((await fetch(`http://127.0.0.1:${nginx.port}/healthz`)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${nginx.port}/nowhere`)).status).toBe(404);
  });

  test('WebSockets, and calls through a reload', async () => {
    const client = await WsClient.login(`ws://127.0.0.1:${nginx.port}/`, 176906);
    const statuses: number[] = [];
    let reloaded = false;
    const reload = daemon.run('server', 'reload').finally(() => {
      reloaded = true;
    });
    while (!reloaded) statuses.push((await fetch(`http://127.0.0.1:${nginx.port}/healthz`)).status);
    expect((await reload).exitCode).toBe(0);
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect((await client.ask('ping')).code).toBe(200);
    await client.close();
  });

  test('nobody is taken for this machine', async () => {
    for (const told of ['127.0.0.1', '203.0.113.9']) {
      const headers = { 'x-forwarded-for': told, 'x-real-ip': told };
      expect((await fetch(`http://127.0.0.1:${nginx.port}/metrics`, { headers })).status).toBe(403);
    }
  });
});
