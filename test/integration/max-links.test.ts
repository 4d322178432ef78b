import { afterAll, beforeAll, expect, test } from 'vitest';
import { Daemon } from '../support/daemon.js';
import { RawSocket } from '../support/raw-socket.js';
import { RefusedError, WsClient } from '../support/ws-client.js';

let daemon: Daemon;

beforeAll(async () => {
  daemon = await Daemon.start({
    env: { SPUSH_WORKER_NUM: '3', SPUSH_MAX_LINK_NUMBER: '100', SPUSH_VISITOR_MAX: '100' },
  });
});

afterAll(() => daemon.dispose());

async function arrive(count: number): Promise<{ open: WsClient[]; refused: RefusedError[] }> {
  const results = await Promise.allSettled(
    Array.from({ length: count }, () => WsClient.connect(daemon.wsUrl)),
  );
  const open: WsClient[] = [];
  const refused: RefusedError[] = [];
  for (const result of results) {
    if (result.status === 'fulfilled') open.push(result.value);
    else if (result.reason instanceof RefusedError) refused.push(result.reason);
    else throw result.reason;
  }
  return { open, refused };
}

test('never more than MaxLinkNumber are open, the rest get 503 with Retry-After, and who leaves makes room', async () => {
  const { open, refused } = await arrive(1000);
  expect(open.length).toBe(100);
  expect(refused.length).toBe(900);
  expect(refused.every(({ status, retryAfter }) => status === 503 && Number(retryAfter) > 0)).toBe(true);

  const leaving = open.splice(0, 10);
  await Promise.all(leaving.map((client) => client.close()));
  await expect
    .poll(async () => JSON.parse((await daemon.run('server', 'status', '--json')).stdout).connectionNum, {
      timeout: 10_000,
    })
    .toBe(90);
  const next = await arrive(50);
  expect(next.open.length).toBe(10);
  await Promise.all([...open, ...next.open].map((client) => client.close()));
});

test('clients that vanish while they are refused end no Worker', async () => {
  const pids = daemon.tree().sort();
  const { open } = await arrive(120);
  expect(open.length).toBe(100);
  for (let round = 0; round < 20; round += 1) {
    await Promise.all(
      Array.from({ length: 25 }, async () => {
        const raw = await RawSocket.open(daemon.port);
        raw.socket.write(
          'GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
            'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
        );
        raw.socket.resetAndDestroy();
      }),
    );
  }
  expect((await daemon.get('/healthz')).status).toBe(200);
  expect(daemon.tree().sort()).toEqual(pids);
  expect(open.every((client) => client.closed === null)).toBe(true);
  await Promise.all(open.map((client) => client.close()));
});

test('VisitorMax that is set while running counts who is there already, and who logs in makes room', async () => {
  const { open } = await arrive(20);
  expect(open.length).toBe(20);
  await daemon.run('config', 'set', 'VisitorMax', '25');
  // A limit holds on the whole node within a second.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const more = await arrive(30);
  expect(more.open.length).toBe(5);
  expect(more.refused.map(({ status }) => status)).toEqual(Array(25).fill(503));

  const users = [...open, ...more.open].slice(0, 3);
  for (const [n, client] of users.entries())
    expect((await client.ask('login', { ukey: `dev-${n + 1}` })).code).toBe(200);
  const next = await arrive(10);
  expect(next.open.length).toBe(3);

  await daemon.run('config', 'set', 'VisitorMax', 'null');
  const last = await arrive(10);
  expect(last.open.length).toBe(10);
  await Promise.all([...open, ...more.open, ...next.open, ...last.open].map((client) => client.close()));
});
