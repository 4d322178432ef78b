import { describe, expect, it } from 'vitest';
import { serverReload } from '../../../../../src/master/control/commands/server-reload.js';
import { LiveConfig } from '../../../../../src/master/live-config.js';
import type { Config } from '../../../../../src/platform/config/config-schema.js';
import { SpushError } from '../../../../../src/shared/base/errors.js';
import { FakeNode } from '../../../../support/fake-node.js';
import { testConfig } from '../../../../support/test-config.js';

async function setUp(load: () => Promise<Config>) {
  const node = await FakeNode.start();
  const before = await testConfig({ MaxLinkNumber: '10', WorkerNum: '2' });
  const limits: number[] = [];
  const live = new LiveConfig(before, ({ system }) => limits.push(system.MaxLinkNumber));
  const done: string[] = [];
  const reload = serverReload({
    live,
    load,
    workers: () => node.supervisor.slotsOf('worker'),
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
      testConfig({ MaxLinkNumber: '20', WorkerNum: '2', Port: '77' }),
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
      testConfig({ MaxLinkNumber: '20', WorkerNum: '2' }),
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

  it('is refused while another one is under way', async () => {
    const { node, reload, reloading } = await setUp(() =>
      testConfig({ MaxLinkNumber: '10', WorkerNum: '2' }),
    );
    const [first, second] = [node.last('Worker.0'), node.last('Worker.1')];
    await expect(reload({}, () => {})).rejects.toMatchObject({ code: 'RELOAD_RUNNING' });
    await node.comesUp(first);
    await node.comesUp(second);
    expect(await reloading).toMatchObject({ workers: 2 });
  });

  it('goes back to as many Workers as there were when it fails after some were ended', async () => {
    const { node, reloading } = await setUp(() => testConfig({ MaxLinkNumber: '10', WorkerNum: '1' }));
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

  it('starts more Workers when the others have been replaced', async () => {
    const { node, reloading, done } = await setUp(() => testConfig({ MaxLinkNumber: '10', WorkerNum: '3' }));
    const [first, second] = [node.last('Worker.0'), node.last('Worker.1')];
    await node.comesUp(first);
    await node.comesUp(second);
    (await node.appears('Worker.2')).becomeReady();
    expect(await reloading).toMatchObject({ workers: 2, applied: ['WorkerNum'] });
    expect(done.at(-1)).toBe('Worker.2 started (3)');
    expect(node.workerCount.now).toBe(3);
  });
});
