import { expect, it } from 'vitest';
import { processShow } from '../../../../../src/master/control/commands/process-show.js';
import { childStats } from '../../../../../src/platform/rpc/child-stats.js';
import { CONTROL_COMMANDS } from '../../../../../src/shared/protocol/control-commands.js';
import type { LeaveResult } from '../../../../../src/shared/protocol/handoff.js';
import { deferred, turns } from '../../../../support/deferred.js';
import { FakeNode } from '../../../../support/fake-node.js';

async function setUp() {
  const node = await FakeNode.start({ worker: 1, task: 1 });
  const show = processShow({
    mode: 'm',
    version: '1.2.3',
    startedAt: 0,
    slots: node.slots,
    childrenOf: node.childrenOf,
    figures: async (pids) =>
      new Map(pids.map((pid) => [pid, { cpu: 1.5, memory: pid * 10, memoryPeak: pid * 20 }])),
    statsOf: async ({ role }) =>
      role === 'crontab' ? null : childStats({ connections: 7, heapUsedBytes: 99 }),
  });
  const rows = async () => {
    const { processes } = CONTROL_COMMANDS['process.show'].data.parse(await show({}, () => {}));
    return processes;
  };
  return { node, rows };
}

it('process.show tells of every process, the master first', async () => {
  const { node, rows } = await setUp();
  const [master, worker, task, crontab, ...more] = await rows();
  expect(more).toEqual([]);
  expect(master).toMatchObject({
    pid: process.pid,
    name: 'spush.m.Master',
    group: 'spush.m.Master',
    startUpTime: '1970-01-01T00:00:00.000Z',
    connections: null,
    restarts: 0,
    version: '1.2.3',
    state: 'ready',
  });
  const { pid } = node.last('Worker.0');
  expect(worker).toMatchObject({
    pid,
    name: 'spush.m.Worker.0',
    group: 'spush.m.Worker',
    memoryUsage: pid * 10,
    memoryPeakUsage: pid * 20,
    cpu: 1.5,
    heapUsed: 99,
    connections: 7,
    restarts: 0,
    state: 'ready',
  });
  expect(task).toMatchObject({ group: 'spush.m.TaskWorker', connections: null, heapUsed: 99 });
  expect(crontab).toMatchObject({
    name: 'spush.m.CrontabScheduler',
    group: 'spush.m.Crontab',
    heapUsed: null,
  });
});

it('process.show has a row for a place where nobody runs', async () => {
  const { node, rows } = await setUp();
  node.supervisor.startNoMore();
  node.last('TaskWorker.0').end(1);
  await turns();
  expect((await rows())[2]).toMatchObject({
    pid: null,
    name: 'spush.m.TaskWorker.0',
    memoryUsage: null,
    startUpTime: null,
    state: 'waiting',
  });
});

it('process.show has two rows while one process takes the place of another', async () => {
  const { node, rows } = await setUp();
  const old = node.last('Worker.0');
  const left = deferred<LeaveResult>();
  old.calls = { 'handoff.leave': () => left.promise };
  const replaced = node.replacer.replace(node.slot('Worker.0'), 'a test', () => {});
  const next = await node.spawner.after(old);
  expect((await rows()).slice(1, 3)).toMatchObject([
    { pid: old.pid, state: 'ready' },
    { pid: next.pid, state: 'starting' },
  ]);
  await node.comesUp(old);
  expect((await rows()).slice(1, 3)).toMatchObject([
    { pid: old.pid, state: 'ready', restarts: 0 },
    { pid: next.pid, state: 'ready', restarts: 0 },
  ]);
  left.resolve({ closed: {}, left: 0 });
  await turns();
  expect((await rows()).slice(1, 3)).toMatchObject([
    { pid: next.pid, state: 'ready', restarts: 1 },
    { pid: old.pid, state: 'stopping' },
  ]);
  old.end(0);
  await replaced;
});
