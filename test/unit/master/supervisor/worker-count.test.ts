import { describe, expect, it } from 'vitest';
import { deferred, turns } from '../../../support/deferred.js';
import { FakeNode } from '../../../support/fake-node.js';
import { CountedHandle, travelling } from '../../../support/moving-workers.js';

function workers(node: FakeNode): [string, string][] {
  return node.supervisor.slotsOf('worker').map(({ name, state }) => [name, state]);
}

describe('the number of Workers', () => {
  it('grows by one that is ready after the other, placed before the TaskWorkers', async () => {
    const node = await FakeNode.start({ worker: 1 });
    const changed = node.workerCount.change(3, () => {});
    (await node.appears('Worker.1')).becomeReady();
    (await node.appears('Worker.2')).becomeReady();
    await changed;
    expect(
      node.supervisor.slots.map(({ name, state, restarts, held }) => [name, state, restarts, held]),
    ).toEqual([
      ['spush.m.Worker.0', 'ready', 0, false],
      ['spush.m.Worker.1', 'ready', 0, false],
      ['spush.m.Worker.2', 'ready', 0, false],
      ['spush.m.TaskWorker.0', 'ready', 0, false],
      ['spush.m.TaskWorker.1', 'ready', 0, false],
      ['spush.m.CrontabScheduler', 'ready', 0, false],
    ]);
  });

  it('goes back to what it was when one does not come up', async () => {
    const node = await FakeNode.start({ worker: 1 });
    const changed = node.workerCount.change(3, () => {});
    const second = await node.appears('Worker.1');
    second.becomeReady();
    (await node.appears('Worker.2')).failToStart('START_FAILED', 'no memory');
    await expect(changed).rejects.toMatchObject({
      code: 'RELOAD_FAILED',
      message: 'the new spush.m.Worker.2 did not come up: no memory; there are as many Workers as before',
    });
    expect(workers(node)).toEqual([['spush.m.Worker.0', 'ready']]);
    expect(node.supervisor.living().map(({ name }) => name)).not.toContain('spush.m.Worker.1');
    await turns();
    expect(node.spawner.children).toHaveLength(6);
  });

  it('starts a new Worker again that dies later', async () => {
    const node = await FakeNode.start({ worker: 1 });
    const changed = node.workerCount.change(2, () => {});
    const second = await node.appears('Worker.1');
    second.becomeReady();
    await changed;
    second.end(null, 'SIGKILL');
    await node.comesUp(second);
    expect(node.slot('Worker.1')).toMatchObject({ state: 'ready', restarts: 1 });
  });

  it('shrinks from the end, and the connections go to those that stay', async () => {
    const node = await FakeNode.start({ worker: 3 });
    const [first, second, third] = [node.last('Worker.0'), node.last('Worker.1'), node.last('Worker.2')];
    first.onSession = ({ id }) => first.peer.note('handoff.adopted', { id, pausedMs: 5 });
    for (const child of [third, second]) {
      child.calls = {
        ...child.calls,
        'handoff.leave': async () => {
          const id = child.title;
          await child.peer.call('handoff.expect', { sessions: [{ id, uid: null }] }, { deadlineMs: 1000 });
          child.peer.hand('handoff.session', travelling(id), new CountedHandle(), () => {});
          return { closed: {}, left: 0 };
        },
      };
    }
    const heard: string[] = [];
    const moved = await node.workerCount.change(1, (text) => heard.push(text));
    expect(moved).toEqual({ kept: 2, closed: 0, closedBy: {}, longestPauseMs: 5 });
    expect(first.handoff).toEqual(['session spush.m.Worker.2', 'session spush.m.Worker.1']);
    expect(workers(node)).toEqual([['spush.m.Worker.0', 'ready']]);
    expect(heard).toEqual([
      'spush.m.Worker.2 has ended',
      'Worker.2 ended (2): 1 connection kept, 0 closed, longest pause 5.0 ms',
      'spush.m.Worker.1 has ended',
      'Worker.1 ended (1): 1 connection kept, 0 closed, longest pause 5.0 ms',
    ]);
    await turns();
    expect(node.spawner.children).toHaveLength(6);
  });

  it('stays as it was when the connections find no other Worker', async () => {
    const node = await FakeNode.start();
    const [first, second] = [node.last('Worker.0'), node.last('Worker.1')];
    const left = deferred<{ closed: object; left: number }>();
    second.calls = { ...second.calls, 'handoff.leave': () => left.promise };
    const changed = node.workerCount.change(1, () => {});
    await turns();
    first.end(null, 'SIGKILL');
    left.resolve({ closed: {}, left: 4 });
    await expect(changed).rejects.toMatchObject({ code: 'RELOAD_FAILED' });
    expect(second.handoff).toEqual(['abort', 'stay']);
    expect(node.slot('Worker.1')).toMatchObject({ child: { pid: second.pid }, held: false });
    await node.comesUp(first);
    expect(workers(node)).toEqual([
      ['spush.m.Worker.0', 'ready'],
      ['spush.m.Worker.1', 'ready'],
    ]);
  });
});
