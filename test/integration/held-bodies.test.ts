/**
 * Strangers who know the id of a key send bodies that cost much, or hold them open: the memory stays as it is from round to
 * round, and signed callers and readers notice little. `SPUSH_TEST_HELD_SECONDS` makes it longer.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { signCallV1 } from '../../src/platform/auth/signature.js';
import { Daemon } from '../support/daemon.js';
import { RawSocket } from '../support/raw-socket.js';
import { runStranger } from '../support/run-stranger.js';
import { cpuSeconds, waitsDuring, workersMiB } from '../support/well-being.js';

const SECONDS = Number(process.env['SPUSH_TEST_HELD_SECONDS'] ?? 1);
const ROUNDS = 3;
const PATH = '/api/comment/message';
const KEY = { id: 'main', secret: 'a secret of the test' };
/** The long form is for a machine that does nothing else; the short one runs on any. */
const WAITS_FACTOR = 5;
const WAITS_MS_MIN = SECONDS < 4 ? 3000 : 250;
const GROWTH_MIB_MAX = 60;
/** What strangers may hold (64 MiB), what is garbage meanwhile, and what the callers cost. */
const PEAK_MIB_MAX = 350;

let daemon: Daemon;
let trickling: ReturnType<typeof trickle>;

beforeAll(async () => {
  daemon = await Daemon.start({
    env: {
      SPUSH_WORKER_NUM: '1',
      SPUSH_TASK_WORKER_NUM: '1',
      SPUSH_API_KEYS: JSON.stringify({ [KEY.id]: KEY.secret }),
    },
    key: KEY,
  });
  trickling = trickle();
});
afterAll(() => daemon?.dispose());

async function postV1(): Promise<number> {
  const body = JSON.stringify({ uid: 800_003, title: 'by version 1', deliver: 'cron' });
  const timestamp = Math.floor(Date.now() / 1000);
  const call = { method: 'POST', path: PATH, body, timestamp, nonce: randomUUID() };
  return (await daemon.post(PATH, body, signCallV1(KEY, call))).status;
}

test.each(['pieces', 'held'])('%s', async (kind) => {
  const pids = daemon.tree().sort();
  expect(await postV1()).toBe(200);
  const quiet = await waitsDuring(daemon, () => sleep(SECONDS * 1000));
  const before = workersMiB(daemon);
  let peak = 0;
  onTestFinished(() => clearInterval(watch));
  const watch = setInterval(() => {
    peak = Math.max(peak, workersMiB(daemon));
  }, 50);
  const after: number[] = [];
  const waits: unknown[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    let tally: unknown;
    const cpuBefore = cpuSeconds(daemon);
    const statuses: number[] = [];
    const noisy = await waitsDuring(daemon, async () => {
      const attack = runStranger(kind, daemon.port, SECONDS);
      let over = false;
      const posts = (async () => {
        for (; !over; await sleep(50)) statuses.push(await postV1());
      })();
      tally = await attack;
      over = true;
      await posts;
    });
    after.push(workersMiB(daemon));
    waits.push({
      ...noisy,
      failures: noisy.failures.length,
      cpu: cpuSeconds(daemon) - cpuBefore,
      tally: JSON.stringify(tally),
    });
    expect(noisy.failures).toEqual([]);
    expect(new Set(statuses)).toEqual(new Set([200]));
    for (const wait of [noisy.callerP99Ms, noisy.readerP99Ms])
      expect(wait).toBeLessThan(
        Math.max(WAITS_MS_MIN, WAITS_FACTOR * Math.max(quiet.callerP99Ms, quiet.readerP99Ms)),
      );
  }
  clearInterval(watch);
  console.log(kind, { quiet, before, peak, after });
  console.table(waits);
  expect(peak - before).toBeLessThan(PEAK_MIB_MAX);
  expect((after[2] ?? 0) - (after[0] ?? 0)).toBeLessThan(GROWTH_MIB_MAX);
  expect(daemon.tree().sort()).toEqual(pids);
}, 120_000);

/** A body of 100 bytes a second; resolves with the answer, and how long it took. */
async function trickle(): Promise<{ text: string; seconds: number }> {
  const raw = await RawSocket.open(daemon.port);
  const timestamp = Math.floor(Date.now() / 1000);
  const headers = signCallV1(KEY, { method: 'POST', path: PATH, body: '', timestamp, nonce: randomUUID() });
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `POST ${PATH} HTTP/1.1\r\nHost: localhost\r\n${lines.join('')}Content-Length: 100000\r\n\r\n`;
  raw.socket.write(head);
  const drip = setInterval(() => raw.socket.write('xxxxxxxxxx'), 100);
  const begun = performance.now();
  await raw.until(() => raw.closed, 50_000);
  clearInterval(drip);
  return { text: raw.text, seconds: (performance.now() - begun) / 1000 };
}

test('a body that trickles is ended with 408', async () => {
  const { text, seconds } = await trickling;
  expect(text).toContain('HTTP/1.1 408 ');
  expect(seconds).toBeGreaterThan(5);
});
