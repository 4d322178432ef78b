/** Every command of the original's manual, typed with its dashes as there, against a server that runs in the background. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type {
  CrontabRow,
  KilledRow,
  ProcessRow,
  RebootRow,
  ServerStatus,
  TaskRow,
} from '../../src/shared/protocol/control-commands.js';
import { Daemon } from '../support/daemon.js';

let daemon: Daemon;

beforeAll(async () => {
  daemon = await Daemon.prepare({ env: { SPUSH_WORKER_NUM: '2', SPUSH_TASK_WORKER_NUM: '2' } });
});

afterAll(async () => {
  await type('server stop -force -mode=websocket');
  await daemon.dispose();
});

/** A line as a person types it. */
function type(line: string) {
  return daemon.run(...(line.match(/(?:[^\s"]|"[^"]*")+/g) ?? []).map((word) => word.replaceAll('"', '')));
}

async function succeeds(line: string): Promise<string> {
  const { exitCode, stdout, stderr } = await type(line);
  expect([line, exitCode, stderr]).toEqual([line, 0, '']);
  return stdout;
}

/** The last line of what it prints under --json. */
async function answer<T>(line: string): Promise<T> {
  const stdout = await succeeds(`${line} --json`);
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as T;
}

const status = () => answer<ServerStatus>('server status');
const processes = async () => (await answer<{ processes: ProcessRow[] }>('process show')).processes;
const job = async (name: string) =>
  (await answer<{ jobs: CrontabRow[] }>('crontab show')).jobs.find(({ taskName }) => taskName === name);

/** Pids by name; fails when a place is empty. */
async function pids(): Promise<Map<string, number | null>> {
  return new Map((await processes()).map(({ name, pid }) => [name, pid]));
}

const CHILDREN = [
  'spush.websocket.Worker.0',
  'spush.websocket.Worker.1',
  'spush.websocket.TaskWorker.0',
  'spush.websocket.TaskWorker.1',
  'spush.websocket.CrontabScheduler',
];

const ASKING = [
  'server status',
  'server reload',
  'process show -d',
  'process kill --pid=1 -f',
  'process kill --group=TaskWorker',
  'process killAll',
  'crontab show',
  'crontab stop --name=PushCommentMsg',
  'crontab resume --name=PushCommentMsg',
  'crontab run --name=PushCommentMsg',
  'crontab reset --name=PushCommentMsg --rule="*/5 * * * *"',
  'task status',
  'task reboot -f',
  'config set MaxLinkNumber 20000',
  'server stop',
  'server stop -force',
];

describe('before it runs', () => {
  test.each(ASKING)('spush %s -mode=websocket says that it does not', async (line) => {
    const { exitCode, stdout, stderr } = await type(`${line} -mode=websocket`);
    expect([exitCode, stdout]).toEqual([3, '']);
    expect(stderr).toContain('mode websocket is not running');
  });
});

describe('server', () => {
  test('start -mode=websocket -d', async () => {
    const stdout = await succeeds('server start -mode=websocket -d');
    expect(stdout).toMatch(/main server +SPUSH_WEB_SOCKET, .*\n(.*\n)*listen address +127\.0\.0\.1/);
    expect(stdout).toContain('in the background');
    expect((await daemon.get('/healthz')).status).toBe(200);
  });

  test('start again is refused', async () => {
    expect(await type('server start -mode=websocket -d')).toMatchObject({ exitCode: 1, stdout: '' });
  });

  test('status -mode=websocket', async () => {
    expect(await succeeds('server status -mode=websocket')).toMatch(/│ workerNum +│ 2 /);
    expect(await status()).toMatchObject({ mode: 'websocket', workerNum: 2, taskNum: 2, crashLoops: [] });
  });
});

describe('process', () => {
  test('show -d -mode=websocket', async () => {
    const stdout = await succeeds('process show -d -mode=websocket');
    for (const name of ['spush.websocket.Master', ...CHILDREN]) expect(stdout).toContain(name);
    expect(stdout).toMatch(/\d+\.\d\d mb/);
    const [master, ...others] = await processes();
    expect(master?.name).toBe('spush.websocket.Master');
    expect(others.map(({ name }) => name)).toEqual(CHILDREN);
  });

  test('kill --pid=PID -f -mode=websocket', async () => {
    const pid = (await pids()).get('spush.websocket.Worker.1');
    const stdout = await succeeds(`process kill --pid=${pid} -f -mode=websocket`);
    expect(stdout).toMatch(new RegExp(`│ ${pid} → \\d+ +│ spush\\.websocket\\.Worker\\.1 .*SIGKILL`));
    expect((await pids()).get('spush.websocket.Worker.1')).not.toBe(pid);
  });

  test('kill --group=TaskWorker', async () => {
    const before = await pids();
    const { processes: killed } = await answer<{ processes: KilledRow[] }>('process kill --group=TaskWorker');
    expect(killed.map(({ name, pid, option }) => [name, pid, option])).toEqual(
      CHILDREN.slice(2, 4).map((name) => [name, before.get(name), 'SIGTERM']),
    );
    const after = await pids();
    for (const { name, newPid } of killed) expect(after.get(name)).toBe(newPid);
  });

  test('killAll -mode=websocket asks nobody where nobody is', async () => {
    const before = await pids();
    const stdout = await succeeds('process killAll -mode=websocket');
    expect(stdout).not.toContain('y/N');
    const after = await pids();
    expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
    for (const name of CHILDREN) expect(after.get(name)).not.toBe(before.get(name));
    expect(after.get('spush.websocket.Master')).toBe(before.get('spush.websocket.Master'));
  });
});

describe('crontab', () => {
  test('show -mode=websocket', async () => {
    const stdout = await succeeds('crontab show -mode=websocket');
    expect(stdout).toContain('taskName');
    for (const name of ['PushUserNoticeMsg', 'PushSystemNoticeMsg', 'PushCommentMsg']) {
      expect(stdout).toContain(name);
    }
  });

  test('stop --name=PushCommentMsg -mode=websocket', async () => {
    const stdout = await succeeds('crontab stop --name=PushCommentMsg -mode=websocket');
    expect(stdout).toMatch(/^crontab: PushCommentMsg is stop success\.\n┌/);
    expect(await job('PushCommentMsg')).toMatchObject({ isStop: 1, taskNextRunTime: null });
    const again = await type('crontab stop --name=PushCommentMsg -mode=websocket');
    expect(again).toMatchObject({ exitCode: 1, stdout: '' });
  });

  test('run --name=PushCommentMsg -mode=websocket, also of a stopped job', async () => {
    const before = await job('PushCommentMsg');
    const stdout = await succeeds('crontab run --name=PushCommentMsg --wait -mode=websocket');
    expect(stdout).toContain('crontab: PushCommentMsg run success\nresult: ');
    const after = await job('PushCommentMsg');
    expect(after?.taskRunTimes).toBe((before?.taskRunTimes ?? 0) + 1);
    expect(after?.lastResult).toBe('ok');
  });

  test('resume --taskName=PushCommentMsg', async () => {
    const stdout = await succeeds('crontab resume --taskName=PushCommentMsg');
    expect(stdout).toMatch(/^crontab: PushCommentMsg resume success\.\n┌/);
    expect(await job('PushCommentMsg')).toMatchObject({ isStop: 0, taskNextRunTime: expect.any(String) });
  });

  test('reset --name=PushCommentMsg --rule="*/5 * * * *"', async () => {
    const stdout = await succeeds('crontab reset --name=PushCommentMsg --rule="*/5 * * * *"');
    expect(stdout).toMatch(/^crontab: PushCommentMsg reset success\n┌/);
    expect(await job('PushCommentMsg')).toMatchObject({ taskRule: '*/5 * * * *' });
  });
});

describe('task', () => {
  test('status -mode=websocket', async () => {
    expect(await succeeds('task status -mode=websocket')).toContain('workerIndex');
    const { tasks } = await answer<{ tasks: TaskRow[] }>('task status');
    expect(tasks.map(({ workerIndex }) => workerIndex)).toEqual([0, 1]);
  });

  test('reboot -f', async () => {
    expect(await succeeds('task reboot')).toContain('3s-Status');
    const { tasks } = await answer<{ tasks: RebootRow[] }>('task reboot -f');
    for (const row of tasks) {
      expect(row).toMatchObject({ signalType: 'SIGKILL', '3s-Status': 'exit', newPid: expect.any(Number) });
    }
  });
});

describe('configuration', () => {
  test('config set MaxLinkNumber 20000', async () => {
    expect(await succeeds('config set MaxLinkNumber 20000')).toBe(
      'MaxLinkNumber: 10000 → 20000\nuntil the next reload or restart; to keep it, set it in its file as well\n',
    );
    expect((await status()).maxLinkNumber).toBe(20_000);
  });

  test('server reload puts back what the files say and replaces the Workers', async () => {
    const before = await pids();
    const stdout = await succeeds('server reload -mode=websocket');
    expect(stdout).toMatch(/│ workers +│ 2 /);
    expect(stdout).toMatch(/│ applied +│ MaxLinkNumber /);
    expect((await status()).maxLinkNumber).toBe(10_000);
    const after = await pids();
    for (const name of CHILDREN.slice(0, 2)) expect(after.get(name)).not.toBe(before.get(name));
  });

  test('server reload --json ends with the result', async () => {
    expect(await answer('server reload')).toEqual({
      workers: 2,
      kept: expect.any(Number),
      closed: 0,
      closedBy: {},
      seconds: expect.any(Number),
      longestPauseMs: expect.any(Number),
      applied: [],
      notApplied: [],
      hidden: [],
      jobs: { added: [], removed: [], changed: [] },
      tasks: { added: [], removed: [], changed: [] },
      hooksFailed: null,
    });
  });
});

describe('what is wrong', () => {
  test.each([
    ['process kill --pid=1', 1],
    ['process kill --group=Wrker', 1],
    ['process kill', 2],
    ['process kil --pid=1', 2],
    ['crontab stop --name=PushCommentMessage', 1],
    ['crontab resume --name=PushCommentMsg', 1],
    ['crontab run --name=X', 1],
    ['crontab run', 2],
    ['crontab reset --name=PushCommentMsg', 2],
    ['crontab reset --name=PushCommentMsg --rule="0 0 31 2 *"', 1],
    ['crontab reset --name=PushCommentMsg --rule="* * * * * *"', 1],
    ['task rebot', 2],
    ['config set MaxLinkNumbr 5', 2],
    ['config set TaskWorkerNum 5', 1],
    ['config set MaxLinkNumber many', 78],
    ['server reload -force', 2],
  ])('spush %s ends with %d, its reason on standard error', async (line, exitCode) => {
    const result = await type(line);
    expect([result.exitCode, result.stdout]).toEqual([exitCode, '']);
    expect(result.stderr.trim()).not.toBe('');
  });

  test('harms nothing', async () => {
    expect(await status()).toMatchObject({ workerNum: 2, taskNum: 2, maxLinkNumber: 10_000, crashLoops: [] });
    expect((await daemon.get('/healthz')).status).toBe(200);
  });
});

describe('a master that is suspended', () => {
  let master: number;

  beforeAll(async () => {
    master = (await status()).pid;
    process.kill(master, 'SIGSTOP');
  });

  afterAll(() => void process.kill(master, 'SIGCONT'));

  test.concurrent.each(
    ASKING.filter((line) => line !== 'server stop -force'),
  )('spush %s: no answer within 3 s', async (line) => {
    const { exitCode, stderr } = await type(line);
    expect(exitCode).toBe(4);
    expect(stderr).toContain(`kill -CONT ${master}`);
  });
});

describe('a master that was suspended', () => {
  test('goes on as if nothing had been asked', async () => {
    expect((await processes()).map(({ state }) => state)).toEqual(
      ['spush.websocket.Master', ...CHILDREN].map(() => 'ready'),
    );
    expect(await status()).toMatchObject({ workerNum: 2, taskNum: 2, maxLinkNumber: 10_000 });
    expect(await job('PushCommentMsg')).toMatchObject({ isStop: 0 });
  });
});

describe('at the end', () => {
  test('server restart -d', async () => {
    const { pid } = await status();
    expect(await succeeds('server restart -d')).toContain('in the background');
    expect((await status()).pid).not.toBe(pid);
    expect(await job('PushCommentMsg')).toMatchObject({ taskRule: '*/5 * * * *' });
  });

  test('server stop -force -mode=websocket', async () => {
    expect(await succeeds('server stop -force -mode=websocket')).toMatch(/server stop for pid \d+ at /);
    expect(await type('server status')).toMatchObject({ exitCode: 3, stdout: '' });
  });
});
