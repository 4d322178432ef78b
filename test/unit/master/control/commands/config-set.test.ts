import { expect, it } from 'vitest';
import { configSet } from '../../../../../src/master/control/commands/config-set.js';
import { LiveConfig } from '../../../../../src/master/live-config.js';
import { OneAtATime } from '../../../../../src/master/supervisor/one-at-a-time.js';
import type { Config } from '../../../../../src/platform/config/config-schema.js';
import { deferred } from '../../../../support/deferred.js';
import { FakeNode } from '../../../../support/fake-node.js';
import { recordedLog } from '../../../../support/recorded-log.js';
import { testLoaded } from '../../../../support/test-config.js';

async function setUp() {
  const limits: number[] = [];
  const live = new LiveConfig(await testLoaded(), ({ system }) => limits.push(system.MaxLinkNumber));
  const configuring = new OneAtATime();
  const node = await FakeNode.start();
  const { replacing, workerCount } = node;
  const shortage = (config: Config): string | null =>
    config.system.MaxLinkNumber > 10_000 ? 'fewer connections fit' : null;
  const set = configSet({ live, configuring, replacing, workerCount, shortage, log: recordedLog() });
  return { limits, live, configuring, set, node };
}

it('config.set tells everybody the new value and answers what it was', async () => {
  const { set, live, limits } = await setUp();
  expect(await set({ key: 'MaxLinkNumber', value: '5' }, () => {})).toEqual({
    key: 'MaxLinkNumber',
    before: 10_000,
    after: 5,
    warning: null,
  });
  expect(limits).toEqual([5]);
  expect(live.current.system.MaxLinkNumber).toBe(5);
});

it('config.set says when fewer connections fit than there are to be', async () => {
  const { set } = await setUp();
  expect(await set({ key: 'MaxLinkNumber', value: '20000' }, () => {})).toMatchObject({
    after: 20_000,
    warning: 'fewer connections fit',
  });
});

it('config.set changes nothing when the value is faulty', async () => {
  const { set, limits } = await setUp();
  await expect(set({ key: 'MaxLinkNumber', value: 'x' }, () => {})).rejects.toMatchObject({
    code: 'CONFIG_VALUE_INVALID',
  });
  expect(limits).toEqual([]);
});

it('config.set is refused while a reload is under way, which would undo it', async () => {
  const { set, configuring } = await setUp();
  const reload = deferred();
  const reloading = configuring.run('a reload', () => reload.promise);
  await expect(set({ key: 'MaxLinkNumber', value: '5' }, () => {})).rejects.toMatchObject({
    code: 'RELOAD_RUNNING',
  });
  reload.resolve();
  await reloading;
});

it('config.set WorkerNum starts Workers, and counts when they are ready', async () => {
  const { set, live, node } = await setUp();
  const heard: string[] = [];
  const changed = set({ key: 'WorkerNum', value: '3' }, ({ text }) => heard.push(text));
  const third = await node.appears('Worker.2');
  expect(live.current.system.WorkerNum).not.toBe(3);
  third.becomeReady();
  expect(await changed).toMatchObject({ key: 'WorkerNum', after: 3 });
  expect(live.current.system.WorkerNum).toBe(3);
  expect(heard).toEqual(['Worker.2 started (3)']);
});

it('config.set WorkerNum changes nothing when a new Worker does not come up', async () => {
  const { set, live, node } = await setUp();
  const before = live.current;
  const changed = set({ key: 'WorkerNum', value: '3' }, () => {});
  (await node.appears('Worker.2')).failToStart('START_FAILED', 'no memory');
  await expect(changed).rejects.toMatchObject({ code: 'RELOAD_FAILED' });
  expect(live.current).toBe(before);
  expect(node.workerCount.now).toBe(2);
});

it('config.set WorkerNum is refused while processes are replaced; other keys are not', async () => {
  const { set, node } = await setUp();
  const kill = deferred();
  const killing = node.replacing.run('process kill', () => kill.promise);
  await expect(set({ key: 'WorkerNum', value: '3' }, () => {})).rejects.toMatchObject({
    code: 'RELOAD_RUNNING',
  });
  await set({ key: 'MaxLinkNumber', value: '5' }, () => {});
  kill.resolve();
  await killing;
});
