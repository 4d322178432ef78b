/**
 * A sweep costs what is online, not what is stored. SPUSH_TEST_BACKLOG sets how many messages of offline users wait
 * (20,000); `npm run test:sweep` takes a million.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Daemon } from '../support/daemon.js';
import { WsClient } from '../support/ws-client.js';

const BACKLOG = Number(process.env['SPUSH_TEST_BACKLOG'] ?? 20_000);
const ONLINE = 100;
const RUNS = 15;
const FIRST_OFFLINE_UID = 1_000_000;

let daemon: Daemon;
const clients: WsClient[] = [];

beforeAll(async () => {
  daemon = await Daemon.start({ env: { SPUSH_WORKER_NUM: '2' } });
  await daemon.stopJobs('PushCommentMsg');
  for (let uid = 1; uid <= ONLINE; uid += 1) clients.push(await WsClient.login(daemon.wsUrl, uid));
});

afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await daemon.dispose();
});

/** Milliseconds of sweeps that each find one message for every online user. */
async function sweeps(): Promise<number[]> {
  const uids = Array.from({ length: ONLINE }, (_, n) => n + 1);
  const durations: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const before = clients.map(({ items }) => items.length);
    await daemon.post('/api/comment/message', { uids, title: 'swept', deliver: 'cron' });
    const ran = await daemon.run('crontab', 'run', '--name=PushCommentMsg', '--wait', '--json');
    expect(ran).toMatchObject({ exitCode: 0 });
    const { durationMs, messages } = sweepResult(ran.stdout);
    expect(messages).toBe(ONLINE);
    durations.push(durationMs);
    await Promise.all(
      clients.map(async (client, n) => {
        await client.untilItems((before[n] ?? 0) + 1);
        await client.ask('ack', { ids: client.items.slice(before[n]).map(({ id }) => id) });
      }),
    );
  }
  return durations.sort((a, b) => a - b);
}

/** The last line: those before it are progress. */
function sweepResult(stdout: string): { durationMs: number; messages: number } {
  const { durationMs, result } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  return { durationMs, messages: result.messages };
}

async function storeBacklog(): Promise<void> {
  const perCall = 1000;
  for (let done = 0; done < BACKLOG; done += perCall) {
    const uids = Array.from({ length: perCall }, (_, n) => FIRST_OFFLINE_UID + ((done + n) % 50_000));
    const posted = await daemon.post('/api/comment/message', { uids, title: `backlog ${done}` });
    expect(posted.status).toBe(200);
  }
}

test(`a sweep takes no longer with ${BACKLOG} messages of offline users`, { timeout: 900_000 }, async () => {
  const without = await sweeps();
  await storeBacklog();
  const status = JSON.parse((await daemon.run('server', 'status', '--json')).stdout);
  expect(status.pendingCount).toBeGreaterThanOrEqual(BACKLOG);
  const withBacklog = await sweeps();
  const median = (sorted: number[]): number => sorted[sorted.length >> 1] ?? 0;
  console.log(
    `sweep of ${ONLINE} online users: median ${median(without).toFixed(1)} ms with nothing else stored, ` +
      `${median(withBacklog).toFixed(1)} ms with ${BACKLOG} pending messages of offline users`,
  );
  expect(median(withBacklog)).toBeLessThan(median(without) * 1.5 + 10);
});
