/**
 * The master killed with -9, at any moment and above all while connections are handed over: no process of the node stays.
 * The long form: SPUSH_TEST_MASTER_KILLS=50
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { Daemon } from '../support/daemon.js';
import { seededRandom } from '../support/random.js';
import { WsClient } from '../support/ws-client.js';

const KILLS = Number(process.env['SPUSH_TEST_MASTER_KILLS'] ?? 4);
const CONNECTIONS = 400;
const seed = Number(process.env['SPUSH_TEST_SEED'] ?? Date.now() % 1_000_000);
const random = seededRandom(seed);
/** What orphans are given for commits and close frames, and a little. */
const GONE_MS = 10_000;

let daemon: Daemon | null = null;

afterAll(() => daemon?.dispose());

/** Every process that was started for this home, whosever child it is now. */
function processesOf(home: string): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => environmentOf(pid).includes(`SPUSH_HOME=${home}`) && isAlive(pid));
}

function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    // It has ended, or is somebody else's.
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

test(`${KILLS} times no process is left when the master is killed`, async () => {
  console.log(`seed ${seed}`);
  const left: string[] = [];
  for (let kill = 0; kill < KILLS; kill += 1) {
    daemon = await Daemon.start({ env: { SPUSH_WORKER_NUM: '2' } });
    const { home } = daemon;
    const clients = await connectMany(daemon);
    // Half of the kills in the middle of a reload, the other half while nothing happens.
    const reload = kill % 2 === 0 ? daemon.run('server', 'reload') : null;
    const afterMs = reload ? 300 + random() * 3000 : random() * 500;
    await sleep(afterMs);
    expect(processesOf(home).length).toBeGreaterThanOrEqual(6);
    process.kill(daemon.masterPid, 'SIGKILL');
    const until = performance.now() + GONE_MS;
    let pids = processesOf(home);
    while (pids.length > 0 && performance.now() < until) {
      await sleep(100);
      pids = processesOf(home);
    }
    if (pids.length > 0) left.push(`kill ${kill} after ${Math.round(afterMs)} ms: ${pids.join(' ')}`);
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await reload;
    for (const { socket } of clients) socket.terminate();
    await daemon.dispose();
  }
  expect(left).toEqual([]);
}, 3_600_000);

async function connectMany({ wsUrl }: Daemon): Promise<WsClient[]> {
  const clients: WsClient[] = [];
  for (let n = 0; n < CONNECTIONS; n += 50)
    clients.push(...(await Promise.all(Array.from({ length: 50 }, () => WsClient.connect(wsUrl)))));
  return clients;
}
