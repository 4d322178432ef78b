import { describe, expect, it } from 'vitest';
import { taskReboot } from '../../../../../src/master/control/commands/task-reboot.js';
import { taskStatus } from '../../../../../src/master/control/commands/task-status.js';
import { childStats } from '../../../../../src/platform/rpc/child-stats.js';
import { turns } from '../../../../support/deferred.js';
import { FakeClock } from '../../../../support/fake-clock.js';
import { FakeNode } from '../../../../support/fake-node.js';

describe('task.status', () => {
  it('has a row for each TaskWorker, those that do not run included', async () => {
    const node = await FakeNode.start();
    node.supervisor.startNoMore();
    node.last('TaskWorker.1').end(1);
    await turns();
    const status = taskStatus({
      taskWorkers: () => node.supervisor.slotsOf('task'),
      statsOf: async () => childStats({ tasksRunning: 1, tasksDone: 5, tasksFailed: 2 }),
      queued: () => 9,
    });
    const { tasks } = await status({}, () => {});
    expect(tasks).toEqual([
      {
        running: 1,
        success: 5,
        fail: 2,
        pid: node.last('TaskWorker.0').pid,
        startUpTime: expect.stringMatching(/Z$/),
        workerIndex: 0,
        queued: 9,
      },
      { running: 0, success: 0, fail: 0, pid: null, startUpTime: null, workerIndex: 1, queued: 9 },
    ]);
  });
});

async function rebooting(force: boolean) {
  const node = await FakeNode.start({ task: 1 });
  const reboot = taskReboot({
    taskWorkers: () => node.supervisor.slotsOf('task'),
    replacing: node.replacing,
    replacer: node.replacer,
    clock: node.clock,
  });
  const old = node.last('TaskWorker.0');
  const rebooted = reboot({ force }, () => {});
  return { node, old, rebooted };
}

describe('task.reboot', () => {
  it.each([
    [false, 'SIGTERM', []],
    [true, 'SIGKILL', ['SIGKILL']],
  ])('gives each TaskWorker a new process (force: %s)', async (force, signalType, signals) => {
    const { node, old, rebooted } = await rebooting(force);
    const next = await node.comesUp(old);
    expect((await rebooted).tasks).toEqual([
      {
        pid: old.pid,
        startUpTime: expect.stringMatching(/Z$/),
        signalTime: expect.stringMatching(/Z$/),
        signalType,
        '3s-Status': 'exit',
        newPid: next.pid,
      },
    ]);
    expect(old.signals).toEqual(signals);
  });

  it('says that the old process was still there after 3 s', async () => {
    const { node, old, rebooted } = await rebooting(false);
    const clock = new FakeClock();
    node.clock.moment = () => clock.moment();
    old.calls = {
      stop: async () => {
        clock.advance(3001);
        old.end(0);
        return {};
      },
    };
    await node.comesUp(old);
    expect((await rebooted).tasks[0]).toMatchObject({ '3s-Status': 'alive' });
  });
});
