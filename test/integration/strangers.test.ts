/**
 * Strangers who have no key open, hold and abuse connections, from a process of their own: the memory does not grow from
 * round to round, and another caller and another reader notice little.
 */
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Daemon } from '../support/daemon.js';
import { runStranger } from '../support/run-stranger.js';
import { cpuSeconds, waitsDuring, workersMiB } from '../support/well-being.js';
import { WsClient } from '../support/ws-client.js';

/** Strangers have an address of their own, as in life; on a machine that is on no network they share that of the others. */
const OUTSIDE = Object.values(networkInterfaces())
  .flat()
  .find((address) => address && !address.internal && address.family === 'IPv4')?.address;
const ROUNDS = 3;
const SECONDS = 4;
/**
 * On a quiet machine (`SPUSH_TEST_QUIET=1`) others wait at most five times as long as before. On one with other work, where the
 * stranger, the caller and spush share what is left, it is seen that they are served.
 */
const IS_QUIET = process.env['SPUSH_TEST_QUIET'] === '1';
const WAITS_FACTOR = IS_QUIET ? 5 : 20;
const WAITS_MS_MIN = IS_QUIET ? 60 : 1500;
/** Among connections of one address the one that was idle longest makes room, which may be the caller's. */
const RESETS_MAX = OUTSIDE ? 0 : 10;
const GROWTH_MIB_MAX = 40;

let daemon: Daemon;

beforeAll(async () => {
  daemon = await Daemon.start({ env: { SPUSH_WORKER_NUM: '1', SPUSH_STOP_SECONDS: '20' } });
});
afterAll(() => daemon?.dispose());

async function cpuOfTwoSeconds(): Promise<number> {
  const before = cpuSeconds(daemon);
  await sleep(2000);
  return cpuSeconds(daemon) - before;
}

const stranger = (kind: string, seconds: number) => runStranger(kind, daemon.port, seconds, OUTSIDE);

test.each(['pipelined', 'idle', 'kept', 'trickling'])('%s', async (kind) => {
  const pids = daemon.tree().sort();
  const quiet = await waitsDuring(daemon, () => sleep(SECONDS * 1000));
  const memory: number[] = [];
  const waits: unknown[] = [];
  let worst = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    let tally: unknown;
    const noisy = await waitsDuring(daemon, async () => {
      tally = await stranger(kind, SECONDS);
    });
    memory.push(workersMiB(daemon));
    waits.push({ ...noisy, failures: noisy.failures.length, tally });
    worst = Math.max(worst, noisy.callerP99Ms, noisy.readerP99Ms);
    const resets = noisy.failures.filter((failure) => /ECONNRESET|socket hang up/.test(failure));
    expect(noisy.failures.filter((failure) => !resets.includes(failure))).toEqual([]);
    expect(resets.length).toBeLessThanOrEqual(RESETS_MAX);
  }
  console.log(kind, { quiet, memory });
  console.table(waits);
  expect(worst).toBeLessThan(
    Math.max(WAITS_MS_MIN, WAITS_FACTOR * Math.max(quiet.callerP99Ms, quiet.readerP99Ms)),
  );
  expect((memory[2] ?? 0) - (memory[0] ?? 0)).toBeLessThan(GROWTH_MIB_MAX);
  expect(daemon.tree().sort()).toEqual(pids);
  // What was accepted of it is worked off, and nothing is left.
  await expect.poll(cpuOfTwoSeconds, { timeout: 15_000 }).toBeLessThan(0.4);
  const reader = await WsClient.connect(daemon.wsUrl);
  await reader.close();
}, 120_000);

test('a stop is not held up by connections that say nothing, or trickle', async () => {
  const noise = Promise.all([stranger('idle', 6), stranger('trickling', 6)]);
  await sleep(2500);
  const begun = performance.now();
  expect(await daemon.stop()).toBe(0);
  expect((performance.now() - begun) / 1000).toBeLessThan(6);
  await noise;
}, 60_000);
