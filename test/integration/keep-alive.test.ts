/**
 * Calls over connections that are kept, and readers on connections that had carried calls, while Workers come and go: none
 * is cut, direct and through the nginx of deploy/. For the long form:
 * SPUSH_TEST_KEPT_CALLS=100000 SPUSH_TEST_KEPT_READERS=1000 SPUSH_TEST_KEPT_RELOADS=20
 */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { signCall } from '../../src/platform/auth/signature.js';
import { CALLERS_PATH, Callers } from '../support/callers.js';
import { Daemon } from '../support/daemon.js';
import { Nginx } from '../support/nginx.js';
import { outsideProgram } from '../support/outside-program.js';
import { PipeliningCaller } from '../support/pipelining-caller.js';
import { seededRandom } from '../support/random.js';
import { WsClient } from '../support/ws-client.js';

const CALLS = Number(process.env['SPUSH_TEST_KEPT_CALLS'] ?? 6000);
const READERS = Number(process.env['SPUSH_TEST_KEPT_READERS'] ?? 100);
const RELOADS = Number(process.env['SPUSH_TEST_KEPT_RELOADS'] ?? 2);
const HOURS = 7_200_000;

const nginxProgram = outsideProgram('nginx', 'apt-get install nginx-light');
const sqlite = outsideProgram('sqlite3', 'apt-get install sqlite3');
const seed = Number(process.env['SPUSH_TEST_SEED'] ?? Date.now() % 1_000_000);
const random = seededRandom(seed);
console.log(`seed ${seed}: ${CALLS} calls, ${READERS} readers, ${RELOADS} reloads`);

/** Who calls through a proxy needs a proof in every environment. */
const KEYS = { site: 'a secret of the test' };

function signature(body: string): Record<string, string> {
  const timestamp = Math.floor(Date.now() / 1000);
  const call = {
    method: 'POST',
    path: CALLERS_PATH,
    contentType: 'application/json',
    body,
    timestamp,
    nonce: randomUUID(),
  };
  return signCall({ id: 'site', secret: KEYS.site }, call);
}

let daemon: Daemon;
let nginx: Nginx | null = null;
let callers: Callers[];
let readers: WsClient[];

beforeAll(async () => {
  const env = { SPUSH_WORKER_NUM: '2', SPUSH_STOP_SECONDS: '10', SPUSH_API_KEYS: JSON.stringify(KEYS) };
  daemon = await Daemon.start({ env });
  if (nginxProgram !== null) nginx = await Nginx.start(nginxProgram, daemon.port);
});
beforeEach(() => {
  callers = [];
  readers = [];
});
afterEach(async () => {
  await Promise.all(callers.map((each) => each.stop()));
  for (const { socket } of readers) socket.terminate();
});
afterAll(async () => {
  await nginx?.stop();
  await daemon?.dispose();
});

/** Busy and lazy callers, direct and through nginx. */
function startCallers(): void {
  const ports = [daemon.port, ...(nginx ? [nginx.port] : [])];
  for (const port of ports) {
    callers.push(new Callers({ port, callers: 8, pauseMs: 0, random, headers: signature }));
    callers.push(new Callers({ port, callers: 24, pauseMs: 1500, random, headers: signature }));
  }
}

/** Through nginx they find connections that callers have left there; direct ones make their own call first. */
async function connectReaders(): Promise<void> {
  while (readers.length < READERS) {
    const url = nginx && readers.length % 2 === 0 ? `ws://127.0.0.1:${nginx.port}/` : daemon.wsUrl;
    readers.push(await WsClient.connect(url));
  }
}

function answered(): number {
  return callers.reduce((sum, each) => sum + each.answered, 0);
}

function failures(): string[] {
  return callers.flatMap((each) => each.failures);
}

function closed(): string[] {
  return readers.flatMap((reader) =>
    reader.closed ? [`${reader.closed.code} ${reader.closed.reason}`] : [],
  );
}

async function succeeds(...command: string[]): Promise<void> {
  const { exitCode, stdout, stderr } = await daemon.run(...command);
  expect([command.join(' '), exitCode, exitCode === 0 ? '' : stdout + stderr]).toEqual([
    command.join(' '),
    0,
    '',
  ]);
}

test(
  'no call fails and no reader is closed over reloads, replaced Workers, fewer and more of them',
  async () => {
    startCallers();
    await sleep(1000);
    await connectReaders();
    let reloads = 0;
    do {
      await succeeds('server', 'reload');
      reloads += 1;
      // In its long form this takes longer than a reader may be silent.
      await Promise.all(readers.map((reader) => reader.ask('ping')));
      const [pid] = [...daemon.children()].flatMap(([title, id]) => (title.includes('.Worker.') ? [id] : []));
      await succeeds('process', 'kill', `--pid=${pid}`);
      await succeeds('config', 'set', 'WorkerNum', reloads % 2 === 1 ? '1' : '2');
    } while (reloads < RELOADS || answered() < CALLS);
    const reused = callers.reduce((sum, each) => sum + each.reused, 0);
    console.log(`${answered()} calls answered, ${reused} of them on kept connections, ${reloads} reloads`);
    expect(failures()).toEqual([]);
    expect(closed()).toEqual([]);
    // Each still answers.
    const pings = await Promise.all(readers.map((reader) => reader.ask('ping')));
    expect(pings.every(({ code }) => code === 200)).toBe(true);
    if (nginx) expect(nginx.errorLog()).toBe('');
  },
  HOURS,
);

test.skipIf(sqlite === null)(
  'what was sent ahead when the server stops is answered, or not stored',
  async () => {
    const own = await Daemon.start({ env: { SPUSH_WORKER_NUM: '2' } });
    try {
      const ahead = [1, 4, 4, 16, 16, 16].map((depth) => new PipeliningCaller(own.port, depth));
      await sleep(700);
      expect(await own.stop()).toBe(0);
      await Promise.all(ahead.map(({ closed }) => closed));
      const accepted = ahead.reduce((sum, caller) => sum + caller.accepted, 0);
      const file = path.join(own.home, 'Data/websocket.db');
      const stored = execFileSync(sqlite as string, [file, 'SELECT COUNT(*) FROM message']).toString();
      expect(accepted).toBeGreaterThan(100);
      expect(Number(stored)).toBe(accepted);
    } finally {
      await own.dispose();
    }
  },
  60_000,
);

test('a stop tells callers ahead: no call that was sent is left without an answer', async () => {
  startCallers();
  await connectReaders();
  await sleep(1500);
  const before = failures().length;
  const stopping = performance.now();
  await daemon.stop();
  const seconds = (performance.now() - stopping) / 1000;
  await Promise.all(callers.map((each) => each.stop()));
  const cut = failures().filter((text) => /ECONNRESET|hang up|EPIPE|aborted/.test(text));
  expect([before, cut]).toEqual([0, []]);
  // Through nginx a call finds nobody after the stop; none was cut in the middle.
  if (nginx) expect(nginx.errorLog()).not.toMatch(/prematurely closed|reset by peer/);
  expect(closed().every((text) => text.startsWith('1001 '))).toBe(true);
  expect(seconds).toBeLessThan(6);
}, 60_000);
