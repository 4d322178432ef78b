/** Processes that may have few files open, and far more clients than that: what was refused once is served a moment later. */
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { Daemon } from '../support/daemon.js';
import { RawSocket } from '../support/raw-socket.js';
import { WsClient } from '../support/ws-client.js';

const CLIENTS = 3000;
const ROUNDS = Number(process.env['SPUSH_TEST_DESCRIPTOR_ROUNDS'] ?? 2);
const UPGRADE =
  'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n';

let daemon: Daemon | null = null;
afterEach(() => daemon?.dispose());

/** Status of `/healthz`, or the error. */
function health(port: number): Promise<number | string> {
  return new Promise((resolve) => {
    const call = get({ host: '127.0.0.1', port, path: '/healthz', agent: false, timeout: 3000 }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    call.on('timeout', () => call.destroy(new Error('timeout')));
    call.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

async function storm(port: number): Promise<RawSocket[]> {
  const sockets: RawSocket[] = [];
  for (let n = 0; n < CLIENTS; n += 1) {
    const raw = await RawSocket.open(port).catch(() => null);
    if (!raw) continue;
    raw.socket.on('error', () => {});
    raw.socket.write(UPGRADE);
    sockets.push(raw);
  }
  await sleep(300);
  return sockets;
}

describe.each([200, 256, 1024])('with %i open files', (openFiles) => {
  test(`${CLIENTS} clients, ${ROUNDS} times: some are served, health answers meanwhile, and all is well a second later`, async () => {
    const running = await Daemon.start({
      openFiles,
      env: { SPUSH_WORKER_NUM: '2', SPUSH_VISITOR_MAX: '10000' },
    });
    daemon = running;
    const pids = running.tree().sort();
    const status = JSON.parse((await running.run('server', 'status', '--json')).stdout);
    expect(status.maxLinkNumber).toBe(10_000);
    expect(status.effectiveMaxLinkNumber).toBeGreaterThan(100);
    expect(status.effectiveMaxLinkNumber).toBeLessThan(2 * openFiles);
    for (let round = 0; round < ROUNDS; round += 1) {
      const sockets = await storm(running.port);
      // Those who wait at the door come first, on a loaded machine for seconds.
      await expect.poll(() => health(running.port), { timeout: 10_000 }).toBe(200);
      const full = JSON.parse((await running.run('server', 'status', '--json')).stdout);
      expect(full.connectionNum).toBeGreaterThan(status.effectiveMaxLinkNumber * 0.75);
      expect(full.connectionNum).toBeLessThanOrEqual(status.effectiveMaxLinkNumber);
      for (const { socket } of sockets) socket.destroy();
      const begun = performance.now();
      let reader: WsClient | null = null;
      while (!reader && performance.now() - begun < 5000)
        reader = await WsClient.connect(running.wsUrl).catch(() => null);
      expect(performance.now() - begun).toBeLessThan(1000);
      expect(reader && (await reader.ask('ping')).code).toBe(200);
      await reader?.close();
      expect(await health(running.port)).toBe(200);
    }
    expect(running.tree().sort()).toEqual(pids);
    expect((await running.run('server', 'stop')).exitCode).toBe(0);
  }, 120_000);
});

test('a limit that leaves room for nobody is refused at the start, with what is needed', async () => {
  await expect(Daemon.start({ openFiles: 120 })).rejects.toThrow(
    /may have 120 open files; spush needs \d+ at least/,
  );
});
