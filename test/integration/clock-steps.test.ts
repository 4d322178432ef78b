/**
 * A whole node whose wall clock is set while it works, by five minutes forward and an hour back: what lasts or is due is
 * measured by the monotonic clock, so nobody is closed, kept out, served old answers or forgotten because of it.
 */
import { appendFileSync, cpSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CrontabRow } from '../../src/shared/protocol/control-commands.js';
import { ControlClient } from '../support/control-client.js';
import { Daemon } from '../support/daemon.js';
import { answerJson, FakeGzcp } from '../support/fake-gzcp.js';
import { FakedWall, fakedWallLibrary } from '../support/faked-wall.js';
import { WsClient } from '../support/ws-client.js';

const PROJECT = path.resolve(import.meta.dirname, '../..');
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** Far more than what is waited for takes. */
const SOON = { timeout: 15_000, interval: 100 };

const JOBS = `
export const jobs = [
  { name: 'EveryMinute', rule: '* * * * *', run: () => 'ran' },
  { name: 'AtThree', rule: '3 10 * * *', run: () => 'ran' },
];
`;

const library = fakedWallLibrary();

/** Whose key it is; `down` gets no answer at all. */
const known = new Map([
  ['lively', 1],
  ['quiet', 2],
  ['kicked', 3],
  ['leaving', 4],
  ['silent', 5],
  ['fresh', 6],
]);
const gzcp = new FakeGzcp(({ loginkey }, res) => {
  if (loginkey === 'down') res.destroy();
  else answerJson(res, { code: 200, data: { uid: known.get(loginkey) ?? 0 } });
});

describe.skipIf(library === null)('a clock that is set while the node works', () => {
  let root: string;
  let wall: FakedWall;
  let daemon: Daemon;
  let lively: WsClient;
  let traffic: NodeJS.Timeout;

  beforeAll(async () => {
    root = mkdtempSync(path.join(tmpdir(), 'spush-root-'));
    cpSync(path.join(PROJECT, 'bootstrap.ts'), path.join(root, 'bootstrap.ts'));
    cpSync(path.join(PROJECT, 'conf'), path.join(root, 'conf'), { recursive: true });
    appendFileSync(path.join(root, 'bootstrap.ts'), JOBS);
    wall = new FakedWall(library ?? '');
    wall.set(todayAt(10, 0, 10));
    daemon = await Daemon.start({
      env: {
        ...wall.env,
        PUSHENV: '0',
        SPUSH_ROOT: root,
        SPUSH_TIME_ZONE: 'UTC',
        SPUSH_WORKER_NUM: '1',
        SPUSH_TASK_WORKER_NUM: '1',
        SPUSH_IDLE_SECONDS: '4',
        SPUSH_IDLE_GRACE_SECONDS: '1',
        SPUSH_IDLE_CHECK_SECONDS: '0.5',
        SPUSH_RESEND_SECONDS: '1',
        SPUSH_GZCP_VERIFY_URL: await gzcp.listen(),
        SPUSH_GZCP_SECRET: 'between-us',
        SPUSH_GZCP_CACHE_SECONDS: '2',
        SPUSH_GZCP_BREAKER_FAILURES: '2',
        SPUSH_GZCP_BREAKER_SECONDS: '2',
      },
    });
    lively = await loggedIn('lively');
    traffic = setInterval(() => lively.send('ping'), 1000);
  });

  afterAll(async () => {
    clearInterval(traffic);
    await daemon.dispose();
    await gzcp.close();
    wall.remove();
    rmSync(root, { recursive: true, force: true });
  });

  async function loggedIn(ukey: string): Promise<WsClient> {
    const client = await WsClient.connect(daemon.wsUrl);
    const reply = await client.ask('login', { ukey, ack: true });
    if (reply.code !== 200) throw new Error(`login of ${ukey}: ${reply.code} ${reply.msg}`);
    return client;
  }

  async function loginCode(ukey: string): Promise<number> {
    const client = await WsClient.connect(daemon.wsUrl);
    const { code } = await client.ask('login', { ukey, ack: true });
    await client.close();
    return code;
  }

  async function runs(name: string): Promise<number> {
    const client = new ControlClient(path.join(daemon.home, 'Temp/websocket.sock'));
    try {
      const { answer } = await client.ask({ cmd: 'crontab.show', args: {} });
      const jobs: CrontabRow[] = answer.data.jobs;
      return jobs.find(({ taskName }) => taskName === name)?.taskRunTimes ?? Number.NaN;
    } finally {
      client.close();
    }
  }

  function logged(event: string): Record<string, unknown>[] {
    const lines = readFileSync(path.join(daemon.home, 'Log/websocket.log'), 'utf8').trim().split('\n');
    return lines.map((line) => JSON.parse(line)).filter((line) => line.event === event);
  }

  describe('five minutes forward', () => {
    test('runs once, late, what it jumped over, and says so', async () => {
      expect(await runs('AtThree')).toBe(0);
      const before = await runs('EveryMinute');
      wall.step(5 * MINUTE_MS);
      await expect.poll(() => runs('AtThree'), SOON).toBe(1);
      await expect.poll(() => runs('EveryMinute'), SOON).toBe(before + 1);
      await severalLooks();
      expect([await runs('AtThree'), await runs('EveryMinute')]).toEqual([1, before + 1]);
      expect(logged('job.late')).toContainEqual(expect.objectContaining({ level: 'warn', job: 'AtThree' }));
    });

    test('closes nobody', async () => {
      const quiet = await loggedIn('quiet');
      wall.step(5 * MINUTE_MS);
      await severalLooks();
      expect([quiet.closed, lively.closed]).toEqual([null, null]);
      await quiet.close();
    });
  });

  describe('an hour back', () => {
    test('closes who is idle in its time, and nobody else', async () => {
      const quiet = await loggedIn('quiet');
      wall.step(-HOUR_MS);
      expect((await quiet.untilClosed()).code).toBe(4001);
      expect(lively.closed).toBeNull();
    });

    test('fires the jobs of the minutes that come', async () => {
      wall.set(todayAt(10, 6, 58));
      await expect.poll(() => logged('job.started').length, SOON).toBeGreaterThan(0);
      wall.set(todayAt(9, 6, 57));
      const before = await runs('EveryMinute');
      await expect.poll(() => runs('EveryMinute'), SOON).toBe(before + 1);
    });

    test('lets a user in again who was kicked before', async () => {
      const kicked = await loggedIn('kicked');
      expect((await daemon.post('/api/user/kick', { uid: 3, reason: 'test' })).status).toBe(200);
      expect((await kicked.untilClosed()).code).toBe(4003);
      wall.step(-HOUR_MS);
      expect(await loginCode('kicked')).toBe(200);
    });

    test('forgets what the main site said when its time is over', async () => {
      await (await loggedIn('leaving')).close();
      known.delete('leaving');
      wall.step(-HOUR_MS);
      expect(await loginCode('leaving')).toBe(200);
      await expect.poll(() => loginCode('leaving'), SOON).toBe(401);
    });

    test('asks the main site again when its pause is over', async () => {
      expect([await loginCode('down'), await loginCode('down')]).toEqual([503, 503]);
      const calls = gzcp.calls.length;
      expect(await loginCode('fresh')).toBe(503);
      expect(gzcp.calls.length).toBe(calls);
      wall.step(-HOUR_MS);
      await expect.poll(() => loginCode('fresh'), SOON).toBe(200);
    });

    test('sends again with the next sweep what was not acknowledged', async () => {
      const silent = await loggedIn('silent');
      const pings = setInterval(() => silent.send('ping'), 1000);
      await daemon.post('/api/comment/message', { uid: 5, title: 'not acknowledged' });
      await silent.untilItems(1);
      await expect.poll(async () => stateOf(silent.items[0]?.id), SOON).toBe('sent');
      wall.step(-HOUR_MS);
      await expect.poll(() => sweptTo(silent), SOON).toBeGreaterThanOrEqual(2);
      expect(new Set(silent.items.map(({ id }) => id)).size).toBe(1);
      clearInterval(pings);
      await silent.close();
    });

    test('does not keep readiness when the store is gone', async () => {
      const status = async (): Promise<number> => (await daemon.get('/readyz')).status;
      const file = path.join(daemon.home, 'Data/websocket.db');
      expect(await status()).toBe(200);
      wall.step(-HOUR_MS);
      renameSync(file, `${file}.aside`);
      try {
        await expect.poll(status, SOON).toBe(503);
      } finally {
        renameSync(`${file}.aside`, file);
      }
      await expect.poll(status, SOON).toBe(200);
    });

    test('does not run a daily job a second time', async () => {
      wall.set(todayAt(10, 8, 30));
      await severalLooks();
      const [daily, minutely] = [await runs('AtThree'), await runs('EveryMinute')];
      wall.set(todayAt(10, 2, 57));
      await expect.poll(() => runs('EveryMinute'), SOON).toBe(minutely + 1);
      expect(await runs('AtThree')).toBe(daily);
    });
  });

  test('a CrontabScheduler that was suspended over the minute runs its jobs once, late, and says so', async () => {
    wall.set(todayAt(10, 20, 54));
    await severalLooks();
    const before = await runs('EveryMinute');
    const pid = daemon.children().get('spush.websocket.CrontabScheduler') ?? Number.NaN;
    process.kill(pid, 'SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, todayAt(10, 21, 3) - wall.now()));
    process.kill(pid, 'SIGCONT');
    await expect.poll(() => runs('EveryMinute'), SOON).toBe(before + 1);
    expect(logged('job.late').at(-1)).toMatchObject({
      job: 'EveryMinute',
      due: new Date(todayAt(10, 21, 0)).toISOString(),
      reason: expect.stringContaining('held up'),
    });
  });

  test('a Worker that was suspended closes nobody who spoke meanwhile', async () => {
    const pid = daemon.children().get('spush.websocket.Worker.0') ?? Number.NaN;
    process.kill(pid, 'SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 6000));
    process.kill(pid, 'SIGCONT');
    await severalLooks();
    expect(lively.closed).toBeNull();
  });

  /** Who is idle, and which job is due, is looked at once a second at least. */
  function severalLooks(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, 2500));
  }

  async function stateOf(id: string | undefined): Promise<string> {
    return (await daemon.get(`/api/message/${id}`)).body.data.state;
  }

  async function sweptTo(client: WsClient): Promise<number> {
    await daemon.run('crontab', 'run', '--name=PushCommentMsg');
    return client.items.length;
  }
});

function todayAt(hour: number, minute: number, second: number): number {
  const today = new Date();
  return Date.UTC(today.getUTCFullYear(), today.getUTCMonth(), today.getUTCDate(), hour, minute, second);
}
