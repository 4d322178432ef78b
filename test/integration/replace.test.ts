/** Reload, live configuration and the replacement of processes, with real ones, under a folder of configuration of their own. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { ControlClient } from '../support/control-client.js';
import { Daemon } from '../support/daemon.js';
import { WsClient } from '../support/ws-client.js';

const PROJECT = path.resolve(import.meta.dirname, '../..');
/** What the tests begin with; each may write another one. */
const SYSTEM = { WorkerNum: 2, TaskWorkerNum: 1, MaxLinkNumber: 100, StopSeconds: 4, ReturnSeconds: 1 };

let root: string;
let daemon: Daemon;

function writeSystem(values: object): void {
  writeFileSync(path.join(root, 'conf/SystemConf.ts'), `export default ${JSON.stringify(values)};\n`);
}

async function ask(cmd: string, args: object = {}) {
  const client = new ControlClient(path.join(daemon.home, 'Temp/websocket.sock'));
  return client.ask({ cmd, args }).finally(() => client.close());
}

async function maxLinkNumber(): Promise<number> {
  return (await ask('server.status')).answer.data.maxLinkNumber;
}

function workers(): number[] {
  return pidsOf('spush.websocket.Worker.');
}

function pidsOf(title: string): number[] {
  return [...daemon.children()].flatMap(([name, pid]) => (name.startsWith(title) ? [pid] : [])).sort();
}

beforeAll(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'spush-root-'));
  mkdirSync(path.join(root, 'conf'));
  cpSync(path.join(PROJECT, 'bootstrap.ts'), path.join(root, 'bootstrap.ts'));
  writeSystem(SYSTEM);
  daemon = await Daemon.start({ env: { SPUSH_ROOT: root } });
});

beforeEach(() => writeSystem(SYSTEM));

afterAll(async () => {
  await daemon?.dispose();
  rmSync(root, { recursive: true, force: true });
});

/** Posts until it is answered, as a careful caller does; the id keeps it from being stored twice. */
async function post(uid: number, id: string): Promise<void> {
  for (;;) {
    try {
      const { status } = await daemon.post('/api/comment/message', { uid, title: id, id });
      if (status === 200) return;
    } catch {
      // The process that had the connection has gone in the middle; the next call finds another one.
    }
  }
}

test('a reload replaces every Worker, applies what is live, and loses no message', async () => {
  const uid = 21;
  const before = workers();
  const first = await WsClient.login(daemon.wsUrl, uid);
  writeSystem({ ...SYSTEM, MaxLinkNumber: 50, TaskWorkerNum: 3 });

  let reloaded = false;
  const posted: string[] = [];
  const reloading = ask('server.reload').finally(() => {
    reloaded = true;
  });
  const posting = (async () => {
    do {
      const id = `r-${posted.length}`;
      await post(uid, id);
      posted.push(id);
    } while (!reloaded);
  })();
  const { answer, events } = await reloading;
  await posting;

  expect(answer.data).toMatchObject({
    workers: 2,
    kept: 1,
    closed: 0,
    applied: ['MaxLinkNumber'],
    notApplied: ['TaskWorkerNum'],
  });
  expect(events).toContainEqual(expect.stringMatching(/^Worker\.0 replaced \(1\/2\): \d connections? kept/));
  expect(events).toContainEqual(expect.stringMatching(/^Worker\.1 replaced \(2\/2\): \d connections? kept/));
  expect(workers().filter((pid) => before.includes(pid))).toEqual([]);
  expect(workers()).toHaveLength(2);
  expect(pidsOf('spush.websocket.TaskWorker.')).toHaveLength(1);
  expect(await maxLinkNumber()).toBe(50);

  await first.until(() => first.items.length >= posted.length);
  expect(first.items.map(({ title }) => title).sort()).toEqual([...posted].sort());
  expect(posted.length).toBeGreaterThan(10);
  await first.close();
});

test('a faulty configuration leaves everything as it was, and every fault is told', async () => {
  await ask('server.reload');
  const before = workers();
  writeSystem({ ...SYSTEM, MaxLinkNumber: 'many', StopSecond: 3 });
  const { answer, events } = await ask('server.reload');
  expect(answer).toMatchObject({ ok: false, error: { code: 'CONFIG_INVALID' } });
  expect(answer.error.message).toContain('MaxLinkNumber is "many"');
  expect(answer.error.message).toContain('StopSecond is not a known key. Did you mean StopSeconds?');
  expect(events).toEqual([]);
  expect(workers()).toEqual(before);
  expect(await maxLinkNumber()).toBe(100);
});

test('config.set counts on every Worker at once; a lower limit throws nobody out and lets nobody in', async () => {
  const open = await Promise.all(Array.from({ length: 6 }, () => WsClient.connect(daemon.wsUrl)));
  const { answer } = await ask('config.set', { key: 'MaxLinkNumber', value: '4' });
  expect(answer.data).toMatchObject({ key: 'MaxLinkNumber', before: 100, after: 4 });
  expect(await maxLinkNumber()).toBe(4);
  const refused = await Promise.allSettled(Array.from({ length: 8 }, () => WsClient.connect(daemon.wsUrl)));
  expect(refused.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 'rejected'));
  expect((await open[0]?.ask('ping'))?.code).toBe(200);
  expect(open.every(({ closed }) => closed === null)).toBe(true);

  await ask('config.set', { key: 'MaxLinkNumber', value: '20000' });
  const more = await WsClient.connect(daemon.wsUrl);
  await Promise.all([...open, more].map((client) => client.close()));

  await ask('server.reload');
  expect(await maxLinkNumber()).toBe(100);
  expect((await ask('config.set', { key: 'Port', value: '1' })).answer.error.code).toBe('CONFIG_KEY_RESTART');
});

test('processes that are killed are replaced under their names, with force or without', async () => {
  for (const force of [false, true]) {
    const before = workers();
    const { answer } = await ask('process.kill', { group: 'Worker', force });
    const rows: { pid: number; newPid: number; name: string }[] = answer.data.processes;
    expect(rows.map(({ pid }) => pid).sort()).toEqual(before);
    expect(rows.map(({ newPid }) => newPid).sort()).toEqual(workers());
    expect(rows.map(({ name }) => name)).toEqual(['spush.websocket.Worker.0', 'spush.websocket.Worker.1']);
  }
  const [scheduler] = pidsOf('spush.websocket.CrontabScheduler');
  const { answer } = await ask('process.kill', { pid: scheduler });
  expect(answer.data.processes).toMatchObject([{ pid: scheduler, option: 'SIGTERM' }]);
  expect(pidsOf('spush.websocket.CrontabScheduler')).toEqual([answer.data.processes[0].newPid]);

  const { processes } = (await ask('process.show')).answer.data;
  expect(processes[0]).toMatchObject({ pid: daemon.masterPid, name: 'spush.websocket.Master' });
  expect(processes).toHaveLength(5);
  for (const row of processes) {
    expect(row).toMatchObject({ state: 'ready', cpu: expect.any(Number), heapUsed: expect.any(Number) });
    expect(row.memoryPeakUsage).toBeGreaterThanOrEqual(row.memoryUsage);
  }
});

test('task.reboot gives every TaskWorker a new process', async () => {
  const before = pidsOf('spush.websocket.TaskWorker.');
  const { answer } = await ask('task.reboot');
  expect(answer.data.tasks).toMatchObject([{ pid: before[0], signalType: 'SIGTERM', '3s-Status': 'exit' }]);
  const { tasks } = (await ask('task.status')).answer.data;
  expect(tasks).toMatchObject([{ pid: answer.data.tasks[0].newPid, workerIndex: 0, queued: 0 }]);
});

test('a process that is told to end from outside lets its connections go a few at a time', async () => {
  await ask('config.set', { key: 'MaxLinkNumber', value: '1000' });
  const clients = await Promise.all(Array.from({ length: 300 }, () => WsClient.connect(daemon.wsUrl)));
  const closedAt: number[] = [];
  for (const { socket } of clients) socket.on('close', () => closedAt.push(performance.now()));
  const { processes } = (await ask('process.show')).answer.data;
  const [first] = processes
    .filter(({ group }: { group: string }) => group.endsWith('.Worker'))
    .sort((a: { connections: number }, b: { connections: number }) => b.connections - a.connections);
  expect(first.connections).toBeGreaterThan(50);
  process.kill(first.pid, 'SIGTERM');
  await expect.poll(() => workers().includes(first.pid), { timeout: 10_000 }).toBe(false);
  const codes = clients.flatMap(({ closed }) => (closed ? [closed.code] : []));
  expect(codes).toHaveLength(first.connections);
  expect(new Set(codes)).toEqual(new Set([1012]));
  expect(Math.max(...closedAt) - Math.min(...closedAt)).toBeGreaterThan(50);
  await Promise.all(clients.map((client) => client.close()));
});

test('without own jobs and tasks nobody needs bootstrap.ts to come back: one that was broken meanwhile is a fault of the next reload', async () => {
  const file = path.join(root, 'bootstrap.ts');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, 'export const PUSHENV = ;\n');
  try {
    for (const group of ['TaskWorker', 'Crontab']) {
      const { exitCode, stdout, stderr } = await daemon.run('process', 'kill', `--group=${group}`, '-f');
      expect(exitCode, `${stdout}${stderr}`).toBe(0);
    }
    const reload = await daemon.run('server', 'reload');
    expect([reload.exitCode, reload.stderr]).toEqual([78, expect.stringContaining(file)]);
  } finally {
    writeFileSync(file, text);
  }
});
