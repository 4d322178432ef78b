import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { serverReload } from '../../../../../src/master/control/commands/server-reload.js';
import { LiveConfig } from '../../../../../src/master/live-config.js';
import type { Hooks } from '../../../../../src/platform/config/bootstrap-hooks.js';
import type { PushEnv } from '../../../../../src/platform/config/config-schema.js';
import { type LoadedConfig, loadConfig } from '../../../../../src/platform/config/load-config.js';
import { SpushError } from '../../../../../src/shared/base/errors.js';
import type { SpawnedRole } from '../../../../../src/shared/domain/role.js';
import { FakeNode } from '../../../../support/fake-node.js';
import { tempFolder } from '../../../../support/temp-folder.js';
import { testLoaded } from '../../../../support/test-config.js';

async function setUp(
  load: () => Promise<LoadedConfig>,
  {
    newBuild = null,
    pushEnv = 0,
    given,
    counts = {},
  }: {
    newBuild?: string | null;
    pushEnv?: PushEnv;
    given?: LiveConfig;
    counts?: Partial<Record<SpawnedRole, number>>;
  } = {},
) {
  const node = await FakeNode.start(counts);
  const loaded = await testLoaded({ MaxLinkNumber: '10', WorkerNum: '2' });
  const before = loaded.config;
  const limits: number[] = [];
  const live = given ?? new LiveConfig(loaded, ({ system }) => limits.push(system.MaxLinkNumber));
  const done: string[] = [];
  const reload = serverReload({
    live,
    program: { renew: () => ({ changedTo: newBuild, undo: () => done.push('back to the old build') }) },
    load: async () => ({ ...(await load()), pushEnv }),
    workers: () => node.supervisor.slotsOf('worker'),
    hookProcesses: () => [...node.supervisor.slotsOf('task'), ...node.supervisor.slotsOf('crontab')],
    replacer: node.replacer,
    workerCount: node.workerCount,
    rereadTls: () => done.push('certificates read'),
    replacing: node.replacing,
    configuring: node.configuring,
    clock: node.clock,
    log: node.log,
  });
  const reloading = reload({}, ({ text }) => done.push(text));
  reloading.catch(() => {
    // looked at by the test that expects it
  });
  return { node, live, before, limits, done, reload, reloading };
}

describe('server.reload', () => {
  it('lets live keys count, names the others, and replaces each Worker in turn', async () => {
    const { node, reloading, done, limits } = await setUp(() =>
      testLoaded({ MaxLinkNumber: '20', WorkerNum: '2', Port: '77' }),
    );
    const [first, second] = [node.last('Worker.0'), node.last('Worker.1')];
    await node.comesUp(first);
    await node.comesUp(second);
    expect(await reloading).toMatchObject({
      workers: 2,
      kept: 0,
      closed: 6,
      closedBy: { tls: 4, left: 2 },
      longestPauseMs: 0,
      applied: ['MaxLinkNumber'],
      notApplied: ['Port'],
    });
    expect(limits).toEqual([20]);
    expect(done).toEqual([
      'configuration read: MaxLinkNumber counts now; needs a restart: Port',
      'certificates read',
      'spush.m.Worker.0 has ended',
      'Worker.0 replaced (1/2): 0 connections kept, 3 closed (tls 2, left 1), longest pause 0.0 ms',
      'spush.m.Worker.1 has ended',
      'Worker.1 replaced (2/2): 0 connections kept, 3 closed (tls 2, left 1), longest pause 0.0 ms',
    ]);
    expect(node.last('TaskWorker.0').signals).toEqual([]);
  });

  it('changes nothing when the configuration is faulty', async () => {
    const fault = new SpushError('CONFIG_INVALID', 'the configuration has 1 fault:\n  …');
    const { node, reloading, done, live, before } = await setUp(() => Promise.reject(fault));
    await expect(reloading).rejects.toBe(fault);
    expect(done).toEqual([]);
    expect(live.current).toBe(before);
    expect(node.spawner.children).toHaveLength(5);
  });

  it('stops at the Worker that does not come up, and the configuration goes back', async () => {
    const { node, reloading, live, before, limits } = await setUp(() =>
      testLoaded({ MaxLinkNumber: '20', WorkerNum: '2' }),
    );
    const second = node.last('Worker.1');
    await node.comesUp(node.last('Worker.0'));
    (await node.spawner.after(second)).failToStart('PORT_TAKEN', 'the port is taken');
    await expect(reloading).rejects.toMatchObject({
      code: 'RELOAD_FAILED',
      message:
        'the new spush.m.Worker.1 did not come up: the port is taken; the process that was there goes on; ' +
        '1 of 2 Workers were replaced, the configuration is what it was',
    });
    expect(live.current).toBe(before);
    expect(limits).toEqual([20, 10]);
    expect(node.slot('Worker.1').child?.pid).toBe(second.pid);
  });

  it('new processes run the newest build, which is said, and the old one again when the reload fails', async () => {
    const { node, reloading, done } = await setUp(() => testLoaded({ WorkerNum: '2' }), {
      newBuild: '/srv/2/dist/b',
    });
    const first = node.last('Worker.0');
    (await node.spawner.after(first)).failToStart('START_FAILED', 'not this one');
    await expect(reloading).rejects.toMatchObject({ code: 'RELOAD_FAILED' });
    expect(done).toContain('new processes run the program in /srv/2/dist/b');
    expect(done.at(-1)).toBe('back to the old build');
  });

  it('is refused while another one is under way', async () => {
    const { node, reload, reloading } = await setUp(() =>
      testLoaded({ MaxLinkNumber: '10', WorkerNum: '2' }),
    );
    const [first, second] = [node.last('Worker.0'), node.last('Worker.1')];
    await expect(reload({}, () => {})).rejects.toMatchObject({ code: 'RELOAD_RUNNING' });
    await node.comesUp(first);
    await node.comesUp(second);
    expect(await reloading).toMatchObject({ workers: 2 });
  });

  it('goes back to as many Workers as there were when it fails after some were ended', async () => {
    const { node, reloading } = await setUp(() => testLoaded({ MaxLinkNumber: '10', WorkerNum: '1' }));
    const [first, second] = [node.last('Worker.0'), node.last('Worker.1')];
    (await node.spawner.after(first)).failToStart('PORT_TAKEN', 'the port is taken');
    await node.comesUp(second);
    await expect(reloading).rejects.toMatchObject({ code: 'RELOAD_FAILED' });
    expect(node.supervisor.slots.map(({ name, state }) => [name, state]).slice(0, 3)).toEqual([
      ['spush.m.Worker.0', 'ready'],
      ['spush.m.Worker.1', 'ready'],
      ['spush.m.TaskWorker.0', 'ready'],
    ]);
  });

  it('names PUSHENV when a start would take another one by now', async () => {
    const load = () => testLoaded({ MaxLinkNumber: '10', WorkerNum: '2' });
    const { node, reloading, done } = await setUp(load, { pushEnv: 1 });
    const [first, second] = [node.last('Worker.0'), node.last('Worker.1')];
    await node.comesUp(first);
    await node.comesUp(second);
    expect(await reloading).toMatchObject({ notApplied: ['PUSHENV'] });
    expect(done[0]).toContain('needs a restart: PUSHENV');
  });

  it('starts more Workers when the others have been replaced', async () => {
    const { node, reloading, done } = await setUp(() => testLoaded({ MaxLinkNumber: '10', WorkerNum: '3' }));
    const [first, second] = [node.last('Worker.0'), node.last('Worker.1')];
    await node.comesUp(first);
    await node.comesUp(second);
    (await node.appears('Worker.2')).becomeReady();
    expect(await reloading).toMatchObject({ workers: 2, applied: ['WorkerNum'] });
    expect(done.at(-1)).toBe('Worker.2 started (3)');
    expect(node.workerCount.now).toBe(3);
  });

  it('names the edits of the files that something of the start wins over', async () => {
    const folder = tempFolder({ 'bootstrap.ts': 'export const PUSHENV = 0;', 'conf/SystemConf.ts': '' });
    const env = { SPUSH_MAX_LINK_NUMBER: '15', SPUSH_WORKER_NUM: '2' };
    const load = (): Promise<LoadedConfig> => loadConfig({ cwd: folder, env, mode: 'm' });
    const edit = (text: string) =>
      writeFileSync(path.join(folder, 'conf/SystemConf.ts'), `export default { ${text} };`);
    edit('MaxLinkNumber: 10');
    const live = new LiveConfig(await load(), () => {});
    edit('MaxLinkNumber: 20, LogLevel: "warn"');
    const { node, reloading } = await setUp(load, { given: live });
    const [first, second] = [node.last('Worker.0'), node.last('Worker.1')];
    await node.comesUp(first);
    await node.comesUp(second);
    expect(await reloading).toMatchObject({
      applied: ['LogLevel'],
      notApplied: [],
      hidden: [{ key: 'MaxLinkNumber', by: 'environment', variable: 'SPUSH_MAX_LINK_NUMBER' }],
    });
    expect(live.current.system).toMatchObject({ MaxLinkNumber: 15, LogLevel: 'warn' });
  });

  describe('of changed own jobs and tasks', () => {
    const JOB = "export const jobs = [{ name: 'Night', rule: '0 3 * * *', run: () => 1 }];";

    /** A server that was started without own jobs, whose bootstrap.ts has one now; the Workers are replaced already. */
    async function edited() {
      const folder = tempFolder({ 'bootstrap.ts': '' });
      const env = { SPUSH_WORKER_NUM: '1' };
      const load = (): Promise<LoadedConfig> => loadConfig({ cwd: folder, env, mode: 'm' });
      const live = new LiveConfig(await load(), () => {});
      const write = async (text: string): Promise<Hooks> => {
        writeFileSync(path.join(folder, 'bootstrap.ts'), text);
        return (await load()).hooks;
      };
      const hooks = await write(JOB);
      const parts = await setUp(load, { given: live, counts: { worker: 1, task: 2 } });
      const { node } = parts;
      node.hooks = hooks;
      const [first, second, crontab] = [
        node.last('TaskWorker.0'),
        node.last('TaskWorker.1'),
        node.last('CrontabScheduler'),
      ];
      await node.comesUp(node.last('Worker.0'));
      return { ...parts, write, first, second, crontab };
    }

    it('replaces those who run them, the CrontabScheduler last, and names them', async () => {
      const { node, reloading, done, reload, first, second, crontab } = await edited();
      await node.comesUp(first);
      await node.comesUp(second);
      await node.comesUp(crontab);
      expect(await reloading).toMatchObject({
        workers: 1,
        jobs: { added: ['Night'], removed: [], changed: [] },
        tasks: { added: [], removed: [], changed: [] },
        hooksFailed: null,
      });
      expect(done).toContain('own jobs: added Night; own tasks: unchanged; their processes are replaced');
      expect(done.at(-1)).toBe('spush.m.CrontabScheduler replaced (3/3)');
      const worker = node.last('Worker.0');
      const again = reload({}, () => {});
      await node.comesUp(worker);
      expect(await again).toMatchObject({ jobs: { added: [] }, hooksFailed: null });
      expect(node.last('CrontabScheduler').pid).not.toBe(crontab.pid);
    });

    it('says why they do not count when a process does not come up, and tries again with the next reload', async () => {
      const { node, reloading, live, reload, first, second, crontab } = await edited();
      (await node.spawner.after(first)).failToStart('CONFIG_INVALID', 'the file is gone');
      expect(await reloading).toMatchObject({
        workers: 1,
        jobs: { added: ['Night'] },
        hooksFailed:
          'the new spush.m.TaskWorker.0 did not come up: the file is gone; the process that was there goes on; ' +
          '0 of 3 processes with own jobs and tasks were replaced',
      });
      expect(node.slot('TaskWorker.0').child?.pid).toBe(first.pid);
      expect(live.state.loaded.hooks.jobs).toHaveLength(1);
      const [worker, task] = [node.last('Worker.0'), node.last('TaskWorker.0')];
      const again = reload({}, () => {});
      await node.comesUp(worker);
      await node.comesUp(task);
      await node.comesUp(second);
      await node.comesUp(crontab);
      expect(await again).toMatchObject({ jobs: { added: ['Night'] }, hooksFailed: null });
    });

    it('replaces those that were replaced when the file is again what it was before a reload that ended half-way', async () => {
      const { node, reloading, reload, write, first, second, crontab } = await edited();
      await node.comesUp(first);
      (await node.spawner.after(second)).failToStart('CONFIG_INVALID', 'the file is gone');
      expect(await reloading).toMatchObject({ hooksFailed: expect.stringContaining('1 of 3') });
      node.hooks = await write('');
      const [worker, task] = [node.last('Worker.0'), node.last('TaskWorker.0')];
      const again = reload({}, () => {});
      await node.comesUp(worker);
      await node.comesUp(task);
      expect(await again).toMatchObject({ jobs: { added: [], removed: [] }, hooksFailed: null });
      expect(node.last('TaskWorker.0').pid).not.toBe(task.pid);
      const kept = [node.slot('TaskWorker.1'), node.slot('CrontabScheduler')];
      expect(kept.map(({ child }) => child?.pid)).toEqual([second.pid, crontab.pid]);
    });

    it('replaces a process that was started again meanwhile, and has loaded what is no longer in the file', async () => {
      const { node, reloading, reload, write, first, second, crontab } = await edited();
      for (const child of [first, second, crontab]) await node.comesUp(child);
      await reloading;
      node.hooks = await write('');
      const dead = node.last('TaskWorker.1');
      dead.end(null, 'SIGKILL');
      const other = await node.comesUp(dead);
      node.hooks = await write(JOB);
      const [worker, kept] = [node.last('Worker.0'), node.last('TaskWorker.0')];
      const done: string[] = [];
      const again = reload({}, ({ text }) => done.push(text));
      await node.comesUp(worker);
      await node.comesUp(other);
      expect(await again).toMatchObject({ jobs: { added: [], removed: [] }, hooksFailed: null });
      expect(done).toContain(
        'own jobs and tasks: unchanged since the last reload, but some processes have loaded others; their processes are replaced',
      );
      expect(done.at(-1)).toBe('spush.m.TaskWorker.1 replaced (1/1)');
      expect(node.last('TaskWorker.0').pid).toBe(kept.pid);
    });
  });
});
