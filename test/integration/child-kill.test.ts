/**
 * Every child killed with -9, again and again, while messages are posted: the same name and index come back, what was
 * counted stays counted, and nothing that was answered 200 is lost.
 *
 * SPUSH_TEST_CHILD_KILLS sets the number of kills of each child (4); `npm run test:child-kill` does 100.
 */
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Daemon } from '../support/daemon.js';
import { RawSocket } from '../support/raw-socket.js';
import { WsClient } from '../support/ws-client.js';

const KILLS = Number(process.env['SPUSH_TEST_CHILD_KILLS'] ?? 4);
const UID = 77;
/** Never both Workers at once, so that somebody always answers. */
const TOGETHER = [
  ['spush.websocket.Worker.0', 'spush.websocket.TaskWorker.0', 'spush.websocket.CrontabScheduler'],
  ['spush.websocket.Worker.1', 'spush.websocket.TaskWorker.1'],
];

let daemon: Daemon;

beforeAll(async () => {
  daemon = await Daemon.start({ env: { SPUSH_WORKER_NUM: '2', SPUSH_TASK_WORKER_NUM: '2' } });
});

afterAll(() => daemon.dispose());

interface Row {
  readonly name: string;
  readonly pid: number | null;
  readonly restarts: number;
  readonly state: string;
}

async function rows(): Promise<Map<string, Row>> {
  const shown = await daemon.run('process', 'show', '--json');
  expect(shown.exitCode).toBe(0);
  const { processes } = JSON.parse(shown.stdout) as { processes: Row[] };
  return new Map(processes.map((row) => [row.name, row]));
}

async function post(key: string): Promise<string | null> {
  try {
    const { status, body } = await daemon.post('/api/comment/message', { uid: UID, title: key, id: key });
    return status === 200 ? body.data.ids[0] : null;
  } catch {
    return null; // the Worker that had the call was killed: posted again below, with the same id
  }
}

describe('children that are killed', () => {
  test(`${KILLS} times each come back under their names, and no message is lost`, {
    timeout: 60_000 + KILLS * 20_000,
  }, async () => {
    const stored = new Map<string, string>();
    let stop = false;
    let sequence = 0;
    const streams = Array.from({ length: 3 }, async () => {
      while (!stop) {
        const key = `k${++sequence}`;
        let id = await post(key);
        while (id === null) {
          await new Promise((resolve) => setTimeout(resolve, 20));
          id = await post(key);
        }
        stored.set(key, id);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    });
    for (let kill = 1; kill <= KILLS; kill += 1) {
      for (const names of TOGETHER) {
        const before = daemon.children();
        for (const name of names) process.kill(before.get(name) ?? 0, 'SIGKILL');
        const back = (): boolean => {
          const now = daemon.children();
          return names.every((name) => now.has(name) && now.get(name) !== before.get(name));
        };
        await expect.poll(back, { timeout: 30_000, interval: 50 }).toBe(true);
        const ready = async (): Promise<boolean> => {
          const shown = await rows();
          return names.every((name) => shown.get(name)?.state === 'ready');
        };
        await expect.poll(ready, { timeout: 30_000, interval: 100 }).toBe(true);
      }
    }
    stop = true;
    await Promise.all(streams);

    const shown = await rows();
    for (const name of TOGETHER.flat())
      expect(shown.get(name), name).toMatchObject({ restarts: KILLS, state: 'ready' });
    expect(shown.get('spush.websocket.Master')).toMatchObject({ pid: daemon.masterPid, restarts: 0 });
    const status = JSON.parse((await daemon.run('server', 'status', '--json')).stdout);
    expect(status).toMatchObject({ workerNum: 2, taskNum: 2, crashLoops: [], pendingCount: stored.size });

    const reader = await WsClient.login(daemon.wsUrl, UID);
    await reader.untilItems(stored.size, 30_000);
    expect(new Set(reader.items.map(({ id }) => id))).toEqual(new Set(stored.values()));
    expect(reader.items).toHaveLength(stored.size);
    await reader.close();
    console.log(
      `${KILLS} kills of each of ${TOGETHER.flat().length} children; ${stored.size} messages stored, each shown once`,
    );
  });
});

test('a child that dies at its start backs off, is tried rarely in the end, and status says so', {
  timeout: 60_000,
}, async () => {
  const victim = 'spush.websocket.TaskWorker.1';
  const until = Date.now() + 50_000;
  let status = { crashLoops: [] as string[] };
  while (status.crashLoops.length === 0 && Date.now() < until) {
    // Killed with another signal than an operator's, as a fault of the program ends it.
    const pid = daemon.children().get(victim) ?? daemon.starting(victim);
    if (pid) process.kill(pid, 'SIGABRT');
    await new Promise((resolve) => setTimeout(resolve, 50));
    status = JSON.parse((await daemon.run('server', 'status', '--json')).stdout);
  }
  expect(status.crashLoops).toEqual([victim]);
  expect(
    (await daemon.run('server', 'status')).stdout + (await daemon.run('server', 'status')).stderr,
  ).toContain(victim);
  expect((await daemon.post('/api/comment/message', { uid: 1, title: 'the others work on' })).status).toBe(
    200,
  );
});

test('a connection that was on its way to a Worker which is killed does not hang', {
  timeout: 60_000,
}, async () => {
  const descriptors = (): number => readdirSync(`/proc/${daemon.masterPid}/fd`).length;
  const before = descriptors();
  for (let round = 0; round < 3; round += 1) {
    const victim = daemon.children().get('spush.websocket.Worker.0') ?? 0;
    process.kill(victim, 'SIGSTOP');
    const sockets = await Promise.all(Array.from({ length: 6 }, () => RawSocket.open(daemon.port)));
    for (const raw of sockets)
      raw.socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    // Half of them are answered by the other Worker; the rest waits for the one that stands still.
    await expect.poll(() => sockets.filter(({ closed }) => closed).length).toBeGreaterThan(1);
    process.kill(victim, 'SIGKILL');
    for (const raw of sockets) await raw.until(() => raw.closed, 5000);
    const back = (): boolean => (daemon.children().get('spush.websocket.Worker.0') ?? victim) !== victim;
    await expect.poll(back, { timeout: 20_000 }).toBe(true);
  }
  await expect.poll(() => descriptors() <= before + 1, { timeout: 10_000 }).toBe(true);
});
