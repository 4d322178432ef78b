/** The master with real processes, sockets and files, and children that do nothing but talk to it. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runMaster } from '../../src/master/master.js';
import { type LoadedConfig, type LoadOptions, loadConfig } from '../../src/platform/config/load-config.js';
import type { MasterInfo } from '../../src/platform/instance/run-master.js';
import { ControlClient } from '../support/control-client.js';
import { deferred } from '../support/deferred.js';

const PROGRAM = join(import.meta.dirname, '../support/fake-child.mjs');
const ROOT = join(import.meta.dirname, '../..');

let home: string;
let loaded: LoadedConfig;
let config: LoadedConfig['config'];
let loadOptions: LoadOptions;

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'spush-master-'));
  const env = { SPUSH_HOME: home, SPUSH_ROOT: ROOT, SPUSH_WORKER_NUM: '2', PUSHENV: '0' };
  const settings = { Host: '127.0.0.1', Port: '0', StopSeconds: '1', LogLevel: 'error', MaxLinkNumber: '77' };
  loadOptions = { cwd: ROOT, env, mode: 'fake', settings };
  loaded = await loadConfig(loadOptions);
  config = loaded.config;
});
afterEach(() => {
  delete process.env['FAKE_CHILD_FAILS'];
  delete process.env['FAKE_CHILD_STAYS'];
  rmSync(home, { recursive: true, force: true });
});

interface Running {
  readonly info: MasterInfo;
  readonly exitCode: Promise<number>;
}

async function start(): Promise<Running> {
  const ready = deferred<MasterInfo>();
  const exitCode = runMaster(
    {
      ...loaded,
      loadOptions,
      version: '1.2.3',
      launchPath: join(ROOT, 'bin/spush.js'),
      console: 'json',
      onReady: ready.resolve,
    },
    { program: PROGRAM },
  );
  const info = await Promise.race([
    ready.promise,
    exitCode.then(() => Promise.reject(new Error('ended before it was ready'))),
  ]);
  return { info, exitCode };
}

function ask(request: object) {
  const client = new ControlClient(config.paths.socket);
  return client.ask(request).finally(() => client.close());
}

/** Pids of our children by title. */
function children(): Map<string, number> {
  const found = new Map<string, number>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const [title] = readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0');
      if (Number(parent) !== process.pid || state === 'Z' || !title?.startsWith('spush.fake.')) continue;
      found.set(title.trim(), Number(entry));
    } catch (error) {
      // It ended while it was looked at.
      if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
  return found;
}

function expectNothingLeft(): void {
  expect(children().size).toBe(0);
  expect(existsSync(config.paths.pidFile)).toBe(false);
  expect(existsSync(config.paths.socket)).toBe(false);
  expect(readdirSync(config.paths.temp)).toEqual([]);
}

const TITLES = [
  'spush.fake.CrontabScheduler',
  'spush.fake.TaskWorker.0',
  'spush.fake.TaskWorker.1',
  'spush.fake.Worker.0',
  'spush.fake.Worker.1',
];

describe('the master', () => {
  it('starts everybody, answers on its socket, and stops in order, leaving nothing', async () => {
    const { info, exitCode } = await start();
    expect(info).toEqual({
      pid: process.pid,
      listen: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      warnings: [],
    });
    expect([...children().keys()].sort()).toEqual(TITLES);
    expect(readFileSync(config.paths.pidFile, 'utf8').trim()).toBe(String(process.pid));
    expect(statSync(config.paths.temp).mode & 0o777).toBe(0o700);
    expect(statSync(config.paths.socket).mode & 0o777).toBe(0o600);

    expect((await ask({ cmd: 'ping' })).answer.data).toMatchObject({ pid: process.pid, mode: 'fake' });
    expect((await ask({ cmd: 'server.status' })).answer.data).toMatchObject({
      listen: info.listen,
      effectiveMaxLinkNumber: 77,
      version: '1.2.3',
      maxLinkNumber: 77,
      connectionNum: 5,
      requestCount: 10,
      pendingCount: 5,
      workerNum: 2,
      taskNum: 2,
    });
    const run = { cmd: 'crontab.run', args: { name: 'PushCommentMsg', wait: true } };
    expect((await ask(run)).answer.data).toEqual({ name: 'PushCommentMsg', result: 'ran' });

    const { answer, events } = await ask({ cmd: 'server.stop' });
    expect(answer).toMatchObject({ ok: true, data: { pid: process.pid } });
    expect(events[0]).toBe('stopping 5 processes, 1 s at most');
    expect(events).toContain('spush.fake.Worker.0 waits for 2 commits');
    expect(events.filter((text) => text.endsWith('has ended'))).toHaveLength(5);
    expect(await exitCode).toBe(0);
    expectNothingLeft();
  });

  it('fails with the reason of the child that could not start, leaving nothing', async () => {
    process.env['FAKE_CHILD_FAILS'] = 'spush.fake.Worker.1';
    await expect(start()).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: 'spush.fake.Worker.1 did not start: the port is taken',
    });
    expectNothingLeft();
  });

  it('is refused while another one of its mode runs, which goes on', async () => {
    const { exitCode } = await start();
    await expect(start()).rejects.toMatchObject({ code: 'ALREADY_RUNNING' });
    expect((await ask({ cmd: 'ping' })).answer.ok).toBe(true);
    await ask({ cmd: 'server.stop' });
    expect(await exitCode).toBe(0);
  });

  it('starts a killed child again under its name, keeps its counts, and is still to be stopped', async () => {
    const { exitCode } = await start();
    await ask({ cmd: 'server.status' });
    for (const title of TITLES) {
      const before = children().get(title);
      if (before === undefined) throw new Error(`${title} is not there`);
      process.kill(before, 'SIGKILL');
      await expect.poll(() => children().get(title) ?? before, { timeout: 10_000 }).not.toBe(before);
    }
    await expect.poll(async () => (await ask({ cmd: 'server.status' })).answer.data.connectionNum).toBe(5);
    const { data } = (await ask({ cmd: 'server.status' })).answer;
    expect(data).toMatchObject({
      workerNum: 2,
      taskNum: 2,
      acceptCount: 10,
      closeCount: 5,
      requestCount: 20,
    });
    await ask({ cmd: 'server.stop' });
    expect(await exitCode).toBe(0);
    expectNothingLeft();
  });

  it('kills what does not end in time, says so, and ends with 1', async () => {
    process.env['FAKE_CHILD_STAYS'] = 'spush.fake.TaskWorker.1';
    const { exitCode } = await start();
    const { answer, events } = await ask({ cmd: 'server.stop' });
    expect(answer.ok).toBe(true);
    expect(events).toContain('spush.fake.TaskWorker.1 did not end within 1 s and is killed');
    expect(await exitCode).toBe(1);
    expectNothingLeft();
  });
});
