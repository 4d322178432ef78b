/** Connections while Workers hang, die and come back: whoever connects is served, and what is wrong is said. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Daemon } from '../support/daemon.js';
import { WsClient } from '../support/ws-client.js';

let daemon: Daemon;

beforeAll(async () => {
  daemon = await Daemon.start({ env: { SPUSH_WORKER_NUM: '2' } });
});
afterAll(() => daemon?.dispose());

function worker(index: number): number {
  const pid = daemon.children().get(`spush.websocket.Worker.${index}`);
  if (pid === undefined) throw new Error(`Worker.${index} is not there`);
  return pid;
}

async function status(): Promise<{ warnings: { trouble: string; text: string }[]; connectionNum: number }> {
  return JSON.parse((await daemon.run('server', 'status', '--json')).stdout);
}

async function warned(): Promise<string[]> {
  return (await status()).warnings.map(({ trouble }) => trouble);
}

test('while a Worker that was told to end from outside leaves, others connect as ever', async () => {
  const clients = await Promise.all(Array.from({ length: 400 }, () => WsClient.connect(daemon.wsUrl)));
  const leaving = worker(0);
  process.kill(leaving, 'SIGTERM');
  const waits: number[] = [];
  const until = performance.now() + 3000;
  while (performance.now() < until) {
    const begun = performance.now();
    const client = await WsClient.connect(daemon.wsUrl);
    waits.push(performance.now() - begun);
    await client.close();
  }
  expect(Math.max(...waits)).toBeLessThan(1000);
  await expect
    .poll(() => daemon.children().get('spush.websocket.Worker.0'), { timeout: 20_000 })
    .not.toBe(leaving);
  await Promise.all(clients.map((client) => client.close()));
}, 60_000);

test('a Worker that hangs is given a few connections; the others are served, and status says which hangs', async () => {
  const hung = worker(0);
  process.kill(hung, 'SIGSTOP');
  try {
    // What is given to the hung one before it is known to hang waits for it.
    const clients = Array.from({ length: 60 }, () => WsClient.connect(daemon.wsUrl));
    const served = (client: Promise<WsClient>): Promise<boolean> =>
      Promise.race([
        client.then(() => true),
        new Promise<boolean>((resolve) => setTimeout(resolve, 5000, false)),
      ]);
    const opened = await Promise.all(clients.map(served));
    expect(opened.filter(Boolean).length).toBeGreaterThanOrEqual(60 - 16);
    await expect.poll(warned, { timeout: 30_000, interval: 1000 }).toContain('frontDoor');
    const [warning] = (await status()).warnings;
    expect(warning?.text).toMatch(
      /^spush\.websocket\.Worker\.0 answers no connection: (no answer within|closed without an answer)/,
    );
    process.kill(hung, 'SIGCONT');
    const all = await Promise.all(clients);
    await expect.poll(warned, { timeout: 15_000, interval: 500 }).not.toContain('frontDoor');
    await Promise.all(all.map((client) => client.close()));
  } finally {
    process.kill(hung, 'SIGCONT');
  }
}, 90_000);

test('connections that a Worker had not taken when it was killed are served by another', async () => {
  const killed = worker(1);
  process.kill(killed, 'SIGSTOP');
  const clients = Array.from({ length: 40 }, () => WsClient.connect(daemon.wsUrl));
  await new Promise((resolve) => setTimeout(resolve, 500));
  process.kill(killed, 'SIGKILL');
  const all = await Promise.all(clients);
  expect(all.filter(({ closed }) => closed !== null)).toEqual([]);
  const replies = await Promise.all(all.map((client) => client.ask('ping')));
  expect(replies.every(({ code }) => code === 200)).toBe(true);
  await Promise.all(all.map((client) => client.close()));
}, 60_000);

test('Workers hold as many connections as each other', async () => {
  await expect.poll(() => daemon.children().has('spush.websocket.Worker.1'), { timeout: 20_000 }).toBe(true);
  await expect.poll(warned, { timeout: 15_000, interval: 500 }).toEqual([]);
  const all: WsClient[] = [];
  for (let n = 0; n < 200; n += 1) all.push(await WsClient.connect(daemon.wsUrl));
  const { processes }: { processes: { name: string; connections: number | null }[] } = JSON.parse(
    (await daemon.run('process', 'show', '--json')).stdout,
  );
  const counts = processes.flatMap(({ name, connections }) =>
    name.includes('Worker.') && connections ? [connections] : [],
  );
  expect(counts).toHaveLength(2);
  expect(Math.abs((counts[0] ?? 0) - (counts[1] ?? 0))).toBeLessThanOrEqual(10);
  await Promise.all(all.map((client) => client.close()));
}, 60_000);
