/**
 * A reader with a key, an inbox of large messages and many connections asks for it again and again and reads nothing: the
 * memory does not grow from round to round, and another caller and other readers notice little.
 */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Daemon } from '../support/daemon.js';
import { waitsDuring, workersMiB } from '../support/well-being.js';
import { WsClient } from '../support/ws-client.js';

const PROGRAM = path.join(import.meta.dirname, '../support/greedy-reader.mjs');
/** With SPUSH_TEST_GREEDY_SECONDS=10 rounds are longer, and all kinds have as many. */
const LONG = process.env['SPUSH_TEST_GREEDY_SECONDS'];
const SECONDS = Number(LONG ?? 2);
const ROUNDS = 3;
/** The greedy one works as hard as it can on one of the two cores. */
const WAITS_FACTOR = 5;
const WAITS_MS_MIN = 1500;
const GROWTH_MIB_MAX = 100;
const MORE_ROUNDS_MAX = 3;
const MIB_MAX = 600;
const GREEDY = 66;
/** What makes much of little has more rounds. */
const KINDS = ['list', 'replay', 'read', 'unread', 'ack', 'ping'].map((kind) => ({
  kind,
  rounds: LONG !== undefined || kind === 'list' || kind === 'replay' ? ROUNDS : 1,
}));

let daemon: Daemon;
let quietMs: number;

beforeAll(async () => {
  daemon = await Daemon.start({ env: { SPUSH_WORKER_NUM: '1', SPUSH_STOP_SECONDS: '20' } });
  // A control character is six bytes in JSON.
  const large = {
    uid: GREEDY,
    title: 'large',
    content: '\u0001'.repeat(8000),
    data: { text: 'y'.repeat(8000) },
  };
  for (let n = 0; n < 100; n += 1) {
    const { status } = await daemon.post('/api/comment/message', large);
    if (status !== 200) throw new Error(`not stored: ${status}`);
  }
  const quiet = await waitsDuring(daemon, () => sleep(SECONDS * 1000));
  quietMs = Math.max(quiet.callerP99Ms, quiet.readerP99Ms);
});
afterAll(() => daemon?.dispose());

function greedy(kind: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const args = [PROGRAM, kind, String(daemon.port), String(SECONDS), String(GREEDY)];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve(JSON.parse(text)) : reject(new Error(`exit ${code}`)),
    );
  });
}

/** The least of the next seconds: what is collected is given back to the kernel a little later. */
async function settledMiB(): Promise<number> {
  let least = workersMiB(daemon);
  for (let look = 0; look < 10; look += 1) {
    await sleep(300);
    least = Math.min(least, workersMiB(daemon));
  }
  return least;
}

test.each(KINDS)('$kind', async ({ kind, rounds }) => {
  const pids = daemon.tree().sort();
  const memory: number[] = [];
  const rows: unknown[] = [];
  const growth = (): number => (memory.at(-1) ?? 0) - (memory[0] ?? 0);
  // Between two collections the memory of a Worker rises and falls; a leak does not come back down in more rounds.
  while (memory.length < rounds || (growth() >= GROWTH_MIB_MAX && memory.length < rounds + MORE_ROUNDS_MAX)) {
    let tally: unknown;
    let most = 0;
    const look = setInterval(() => {
      most = Math.max(most, workersMiB(daemon));
    }, 100);
    const noisy = await waitsDuring(daemon, async () => {
      tally = await greedy(kind);
    });
    clearInterval(look);
    memory.push(await settledMiB());
    rows.push({ ...noisy, failures: noisy.failures.length, most, tally });
    expect(noisy.failures).toEqual([]);
    for (const wait of [noisy.callerP99Ms, noisy.readerP99Ms])
      expect(wait).toBeLessThan(Math.max(WAITS_MS_MIN, WAITS_FACTOR * quietMs));
    expect(most).toBeLessThan(MIB_MAX);
  }
  console.log(kind, { quietMs, memory });
  console.table(rows);
  expect(growth()).toBeLessThan(GROWTH_MIB_MAX);
  expect(daemon.tree().sort()).toEqual(pids);
}, 120_000);

test('a reader who takes what he asks for gets all of it, in a row of pages that is longer than may be unsent', async () => {
  const reader = await WsClient.login(daemon.wsUrl, GREEDY);
  const lists = await Promise.all(Array.from({ length: 20 }, () => reader.ask('list', { limit: 100 })));
  expect(lists.map(({ code, body }) => [code, body.items.length])).toEqual(
    Array.from({ length: 20 }, () => [200, 100]),
  );
  await reader.close();
});

test('commands that wait in the socket are answered once each, by whoever has the connection', async () => {
  const readers = await Promise.all([701, 702, 703, 704].map((uid) => WsClient.login(daemon.wsUrl, uid)));
  const sent = new Map(readers.map((reader) => [reader, [] as string[]]));
  const send = (): void => {
    for (const [reader, ids] of sent) for (let n = 0; n < 450; n += 1) ids.push(reader.send('unread'));
  };
  send();
  const reload = daemon.run('server', 'reload');
  await sleep(1500);
  send();
  const { exitCode, stderr } = await reload;
  expect(exitCode, stderr).toBe(0);
  for (const [reader, ids] of sent) {
    await reader.until(() => reader.frames.length >= ids.length + 2, 30_000);
    const answers = reader.frames.filter(({ cmd }) => cmd === 'unread');
    expect(answers.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
    expect(answers.every(({ code }) => code === 200)).toBe(true);
    expect(reader.closed).toBeNull();
    await reader.close();
  }
}, 60_000);
