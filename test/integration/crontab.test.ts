/** The crontab with real processes: jobs changed over the control socket, kept over restarts, and own ones of bootstrap.ts. */
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CrontabRow } from '../../src/shared/protocol/control-commands.js';
import { ControlClient } from '../support/control-client.js';
import { Daemon } from '../support/daemon.js';

const PROJECT = path.resolve(import.meta.dirname, '../..');
const WITHIN_MS = 30_000;

/** Own tasks and jobs. Their rules come once a year, on a day of their own: only this test runs them. */
const HOOKS = `
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';

const asked = join(process.env['SPUSH_HOME'] ?? '', 'asked.txt');

export const tasks = [
  {
    name: 'remember',
    run: async ({ word }: { word: string }, { signal, log }: any) => {
      appendFileSync(asked, word + '\\n');
      log.info('remembered', { word });
      return { word, aborted: signal.aborted };
    },
  },
  { name: 'deaf', run: () => new Promise(() => setInterval(() => {}, 1000)) },
  { name: 'holding', run: () => { for (;;); } },
];

export const jobs = [
  { name: 'Remember', rule: '0 0 1 1 *', task: 'remember', args: { word: 'yes' } },
  { name: 'Throws', rule: '@yearly', run: () => { throw new RangeError('there is no more paper'); } },
  { name: 'Heedful', rule: '@yearly', run: (_args: unknown, { signal }: any) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))) },
  { name: 'Deaf', rule: '@yearly', task: 'deaf' },
  { name: 'Holding', rule: '@yearly', task: 'holding' },
];
`;

let root: string;
let daemon: Daemon;

beforeEach(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'spush-root-'));
  cpSync(path.join(PROJECT, 'bootstrap.ts'), path.join(root, 'bootstrap.ts'));
  cpSync(path.join(PROJECT, 'conf'), path.join(root, 'conf'), { recursive: true });
  appendFileSync(path.join(root, 'bootstrap.ts'), HOOKS);
  const env = {
    SPUSH_ROOT: root,
    SPUSH_WORKER_NUM: '1',
    SPUSH_TASK_WORKER_NUM: '1',
    SPUSH_TASK_SECONDS: '2',
  };
  daemon = await Daemon.prepare({ env });
});
afterEach(async () => {
  await daemon.dispose();
  rmSync(root, { recursive: true, force: true });
});

async function ask(cmd: string, args: object = {}) {
  const client = new ControlClient(path.join(daemon.home, 'Temp/websocket.sock'));
  try {
    return (await client.ask({ cmd, args })).answer;
  } finally {
    client.close();
  }
}

async function row(name: string): Promise<CrontabRow> {
  const { data } = await ask('crontab.show');
  return data.jobs.find(({ taskName }: CrontabRow) => taskName === name);
}

/** The row once it is as wanted: a process that ends and comes again takes its time. */
async function rowWhen(name: string, wanted: (row: CrontabRow) => boolean): Promise<CrontabRow> {
  const until = Date.now() + WITHIN_MS;
  for (;;) {
    const found = await row(name);
    if (wanted(found)) return found;
    if (Date.now() > until) throw new Error(`not so within ${WITHIN_MS} ms: ${JSON.stringify(found)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function untilAnswers(cmd: string, args: object = {}) {
  const until = Date.now() + WITHIN_MS;
  for (;;) {
    const answer = await ask(cmd, args);
    if (answer.ok || Date.now() > until) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const stateFile = () => path.join(daemon.home, 'Data/websocket.crontab.json');
const run = (name: string) => ask('crontab.run', { name, wait: true });

describe('crontab', () => {
  it('stops, resumes, resets and runs jobs, and refuses what makes no sense', async () => {
    await daemon.start();
    expect((await ask('crontab.show')).data.jobs.map(({ taskName }: CrontabRow) => taskName)).toEqual([
      'PushUserNoticeMsg',
      'PushSystemNoticeMsg',
      'PushCommentMsg',
      'Remember',
      'Throws',
      'Heedful',
      'Deaf',
      'Holding',
    ]);
    expect(await row('PushCommentMsg')).toMatchObject({
      taskRule: '*/6 * * * *',
      isStop: 0,
      lastResult: null,
    });

    const name = 'PushCommentMsg';
    expect((await ask('crontab.stop', { name })).ok).toBe(true);
    expect(await row(name)).toMatchObject({ isStop: 1, taskNextRunTime: null });
    expect((await ask('crontab.stop', { name })).error).toEqual({
      code: 'CRON_ALREADY_STOPPED',
      message: 'crontab: PushCommentMsg is already stop',
    });
    expect((await run(name)).data.result).toEqual({ users: 0, messages: 0, online: 0 });
    expect(await row(name)).toMatchObject({ isStop: 1, taskRunTimes: 1, lastResult: 'ok' });
    expect((await ask('crontab.resume', { name })).ok).toBe(true);
    expect((await ask('crontab.resume', { name })).error.code).toBe('CRON_NOT_STOPPED');
    expect((await row(name)).taskNextRunTime).toMatch(/^\d{4}-/);

    expect((await ask('crontab.reset', { name, rule: '@monthly' })).ok).toBe(true);
    expect((await row(name)).taskNextRunTime).toMatch(/-01T/);
    expect((await ask('crontab.reset', { name, rule: '* * * * * *' })).error).toMatchObject({
      code: 'CRON_RULE_INVALID',
      message: expect.stringContaining('six fields'),
    });
    expect((await ask('crontab.reset', { name: 'PushComentMsg', rule: '@daily' })).error).toMatchObject({
      code: 'CRON_JOB_UNKNOWN',
      message: expect.stringContaining('Did you mean PushCommentMsg?'),
    });
  });

  it('forgets nothing when the server restarts, or every process is killed', async () => {
    await daemon.start();
    await run('Remember');
    for (const name of ['PushUserNoticeMsg', 'PushCommentMsg', 'PushSystemNoticeMsg']) {
      await ask('crontab.stop', { name });
    }
    await ask('crontab.reset', { name: 'Remember', rule: '5 4 1 1 *' });
    await ask('crontab.reset', { name: 'PushCommentMsg', rule: '*/6  * * * *' });
    const before = await ask('crontab.show');
    expect(JSON.parse(readFileSync(stateFile(), 'utf8')).jobs['PushCommentMsg'].rule).toBeNull();
    expect(await daemon.stop()).toBe(0);
    await daemon.start();
    const afterStop = await ask('crontab.show');
    expect(withoutTimes(afterStop.data.jobs)).toEqual(withoutTimes(before.data.jobs));

    await run('Remember');
    await daemon.killAll();
    await daemon.start();
    expect(await row('Remember')).toMatchObject({ taskRunTimes: 2, taskRule: '5 4 1 1 *', lastResult: 'ok' });
    expect(await row('PushUserNoticeMsg')).toMatchObject({ isStop: 1 });

    const scheduler = daemon.children().get('spush.websocket.CrontabScheduler');
    process.kill(scheduler ?? Number.NaN, 'SIGKILL');
    await untilAnswers('crontab.resume', { name: 'PushUserNoticeMsg' });
    expect(await row('Remember')).toMatchObject({ taskRunTimes: 2 });
    expect(await row('PushUserNoticeMsg')).toMatchObject({ isStop: 0 });
  });

  it('starts afresh with a damaged file, which it moves aside', async () => {
    await daemon.start();
    await ask('crontab.stop', { name: 'PushUserNoticeMsg' });
    await daemon.stop();
    writeFileSync(stateFile(), '{"version":1,"jobs":{"Push');
    await daemon.start();
    expect(await row('PushUserNoticeMsg')).toMatchObject({ isStop: 0 });
    const aside = readdirSync(path.dirname(stateFile())).filter((name) => name.includes('.broken-'));
    expect(aside).toHaveLength(1);
  });

  it('runs own jobs and tasks, and shows what became of one that throws or passes its deadline', async () => {
    await daemon.start();
    expect((await run('Remember')).data.result).toEqual({ word: 'yes', aborted: false });
    expect(readFileSync(path.join(daemon.home, 'asked.txt'), 'utf8')).toBe('yes\n');

    expect((await run('Throws')).error).toMatchObject({
      code: 'TASK_FAILED',
      message: expect.stringContaining('there is no more paper'),
    });
    expect((await row('Throws')).lastResult).toContain('there is no more paper');

    expect((await run('Heedful')).error.message).toContain('deadline passed');
    expect(await row('Heedful')).toMatchObject({
      lastResult: expect.stringMatching(/^deadline passed: task Heedful/),
      taskRunTimes: 1,
    });
    expect((await run('Remember')).ok).toBe(true);
  });

  it.each([
    ['does not heed its signal', 'Deaf'],
    ['holds the loop', 'Holding'],
  ])('ends the TaskWorker with a task that %s, and goes on with another', async (_what, name) => {
    await daemon.start();
    const before = daemon.children().get('spush.websocket.TaskWorker.0');
    expect((await run(name)).ok).toBe(false);
    expect((await row(name)).lastResult).toContain('deadline passed');
    const until = Date.now() + WITHIN_MS;
    while (daemon.children().get('spush.websocket.TaskWorker.0') === before && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect((await untilAnswers('crontab.run', { name: 'Remember', wait: true })).ok).toBe(true);
    expect(daemon.children().get('spush.websocket.TaskWorker.0')).not.toBe(before);
    await rowWhen('Remember', ({ lastResult }) => lastResult === 'ok');
  });

  it('takes own jobs and tasks that were added, changed and removed into effect with a reload', async () => {
    await daemon.start();
    await run('Remember');
    const before = daemon.children();
    const file = path.join(root, 'bootstrap.ts');
    const text = readFileSync(file, 'utf8');
    writeFileSync(
      file,
      text
        .replace(
          "{ name: 'Deaf', rule: '@yearly', task: 'deaf' },",
          "{ name: 'New', rule: '@yearly', task: 'fresh' },",
        )
        .replace("{ name: 'deaf', run:", "{ name: 'fresh', run: () => 'it is new' },\n  { name: 'deaf', run:")
        .replace("args: { word: 'yes' }", "args: { word: 'no' }"),
    );
    expect((await ask('server.reload')).data).toMatchObject({
      jobs: { added: ['New'], removed: ['Deaf'], changed: ['Remember'] },
      tasks: { added: ['fresh'], removed: [], changed: [] },
      hooksFailed: null,
    });
    expect((await run('New')).data.result).toBe('it is new');
    expect((await run('Remember')).data.result).toMatchObject({ word: 'no' });
    expect(await row('Deaf')).toBeUndefined();
    expect(await row('Remember')).toMatchObject({ taskRunTimes: 2 });
    const [task, crontab] = ['spush.websocket.TaskWorker.0', 'spush.websocket.CrontabScheduler'];
    const after = daemon.children();
    expect([after.get(task), after.get(crontab)]).not.toContain(before.get(task));
    expect(after.get(crontab)).not.toBe(before.get(crontab));
    // What has not changed leaves them alone: a long task is not cut off by a reload for something else.
    expect((await ask('server.reload')).data).toMatchObject({ jobs: { added: [] }, hooksFailed: null });
    expect(daemon.children().get(task)).toBe(after.get(task));
    expect(daemon.children().get(crontab)).toBe(after.get(crontab));
  });

  it('does not start with own jobs that are wrong, and says which', async () => {
    const file = path.join(root, 'bootstrap.ts');
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replaceAll("'@yearly', task: 'deaf'", "'0 0 31 2 *', task: 'def'"),
    );
    await expect(daemon.start()).rejects.toThrow(
      /ended with 78.*jobs\[3\]\.rule is "0 0 31 2 \*"; it never comes/s,
    );
    const check = await daemon.run('config', 'check');
    expect(check.exitCode).toBe(78);
    expect(check.stderr).toContain('jobs[3].task is "def", which is no task. Did you mean deaf?');
    expect((await daemon.run('crontab', '--help')).exitCode).toBe(0);
  });
});

function withoutTimes(jobs: readonly CrontabRow[]) {
  return jobs.map(({ taskNextRunTime, ...rest }) => rest);
}
