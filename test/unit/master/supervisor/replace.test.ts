import { describe, expect, it, vi } from 'vitest';
import type { LeaveResult } from '../../../../src/shared/protocol/handoff.js';
import { deferred, turns } from '../../../support/deferred.js';
import { FakeNode, obey } from '../../../support/fake-node.js';
import { CountedHandle, travelling } from '../../../support/moving-workers.js';

async function replacing(node: FakeNode, name: string) {
  const heard: string[] = [];
  const old = node.last(name);
  const replaced = node.replacer.replace(node.slot(name), 'a test', (text) => heard.push(text));
  replaced.catch(() => {
    // looked at by the test that expects it
  });
  await turns();
  return { old, replaced, heard };
}

describe('a process that is replaced', () => {
  it('goes on until the new one is ready, which then has the place; its end is no death', async () => {
    const node = await FakeNode.start();
    const slot = node.slot('TaskWorker.1');
    const { old, replaced, heard } = await replacing(node, 'TaskWorker.1');
    const told = deferred<object>();
    old.calls = {
      stop: async (args) => {
        told.resolve(args);
        return {};
      },
    };
    expect(slot.child?.pid).toBe(old.pid);
    expect(node.supervisor.living()).toHaveLength(6);
    const next = await node.comesUp(old);
    expect(slot).toMatchObject({ child: { pid: next.pid }, next: null, restarts: 1, state: 'ready' });
    expect(await told.promise).toEqual({ reason: 'a test', deadlineMs: 1000, closing: 'process' });
    expect(node.left).toEqual([`spush.m.TaskWorker.1 ${old.pid}`]);
    expect(node.childrenOf(slot).map(({ pid, stopping }) => [pid, stopping])).toEqual([
      [next.pid, false],
      [old.pid, true],
    ]);
    old.end(0);
    expect(await replaced).toMatchObject({ child: { pid: next.pid }, kept: 0, closed: 0 });
    expect(heard).toEqual(['spush.m.TaskWorker.1 has ended']);
    expect(node.spawner.children).toHaveLength(6);
    expect(slot.child?.pid).toBe(next.pid);
  });

  it('goes on when the new one does not come up, and the reason is told', async () => {
    const node = await FakeNode.start();
    const { old, replaced } = await replacing(node, 'Worker.0');
    (await node.spawner.after(old)).failToStart('START_FAILED', 'no memory');
    await expect(replaced).rejects.toMatchObject({
      code: 'RELOAD_FAILED',
      message: 'the new spush.m.Worker.0 did not come up: no memory; the process that was there goes on',
    });
    expect(node.slot('Worker.0')).toMatchObject({ child: { pid: old.pid }, restarts: 0, timer: null });
    expect(old.signals).toEqual([]);
    expect(node.supervisor.living()).toHaveLength(5);
  });

  it('may die meanwhile: the new one takes the place all the same', async () => {
    const node = await FakeNode.start();
    const { old, replaced } = await replacing(node, 'TaskWorker.0');
    old.end(null, 'SIGSEGV');
    await turns();
    expect(node.slot('TaskWorker.0').timer).toBeNull();
    const next = await node.comesUp(old);
    expect(await replaced).toMatchObject({ child: { pid: next.pid } });
    expect(node.spawner.children).toHaveLength(6);
  });

  it('may die meanwhile, and the new one too: then it is started again like any that died', async () => {
    const node = await FakeNode.start();
    const { old, replaced } = await replacing(node, 'TaskWorker.0');
    const next = await node.spawner.after(old);
    old.end(null, 'SIGSEGV');
    await turns();
    next.failToStart('START_FAILED', 'no memory');
    await expect(replaced).rejects.toMatchObject({ code: 'RELOAD_FAILED' });
    expect(node.slot('TaskWorker.0').timer).not.toBeNull();
    node.supervisor.startNoMore();
  });

  it('that is the scheduler ends first, so that there are never two', async () => {
    const node = await FakeNode.start();
    const slot = node.slot('CrontabScheduler');
    const old = node.last('CrontabScheduler');
    old.calls = {};
    const { replaced } = await replacing(node, 'CrontabScheduler');
    expect(node.last('CrontabScheduler')).toBe(old);
    old.end(0);
    const next = await node.comesUp(old);
    expect(await replaced).toMatchObject({ child: { pid: next.pid } });
    expect(slot).toMatchObject({ restarts: 1, held: false, timer: null });
    expect(node.spawner.children).toHaveLength(6);
  });

  it('that is the scheduler is tried again when the new one does not come up', async () => {
    const node = await FakeNode.start();
    const { old, replaced } = await replacing(node, 'CrontabScheduler');
    (await node.spawner.after(old)).failToStart('START_FAILED', 'no memory');
    await expect(replaced).rejects.toMatchObject({
      message: 'the new spush.m.CrontabScheduler did not come up: no memory; it is tried again',
    });
    expect(node.slot('CrontabScheduler').timer).not.toBeNull();
    node.supervisor.startNoMore();
  });

  it('is killed when it does not end in time', async () => {
    const node = await FakeNode.start();
    node.last('TaskWorker.0').calls = {};
    const { old, replaced, heard } = await replacing(node, 'TaskWorker.0');
    await node.comesUp(old);
    await replaced;
    expect(old.signals).toEqual(['SIGKILL']);
    expect(heard).toEqual(['spush.m.TaskWorker.0 did not end within 1 s and is killed']);
  });

  it('is not replaced when the server is stopped meanwhile', async () => {
    const node = await FakeNode.start();
    const { old, replaced } = await replacing(node, 'Worker.0');
    const next = await node.spawner.after(old);
    node.supervisor.startNoMore();
    next.end(0);
    await expect(replaced).rejects.toMatchObject({ code: 'SHUTTING_DOWN' });
  });

  it('is not replaced while the server stops', async () => {
    const node = await FakeNode.start();
    node.supervisor.startNoMore();
    await expect((await replacing(node, 'Worker.0')).replaced).rejects.toMatchObject({
      code: 'SHUTTING_DOWN',
    });
  });
});

describe('a Worker that is replaced', () => {
  /** Its successor is ready, and it has been told to leave. */
  async function leaving() {
    const node = await FakeNode.start();
    const slot = node.slot('Worker.1');
    const { old, replaced, heard } = await replacing(node, 'Worker.1');
    const left = deferred<LeaveResult>();
    old.calls = {
      ...old.calls,
      'handoff.leave': () => left.promise,
    };
    const next = await node.comesUp(old);
    const handOver = async (...ids: string[]): Promise<void> => {
      const sessions = ids.map((id) => ({ id, uid: null }));
      await old.peer.call('handoff.expect', { sessions }, { deadlineMs: 60_000 });
      for (const id of ids) old.peer.hand('handoff.session', travelling(id), new CountedHandle(), () => {});
    };
    return { node, slot, old, next, replaced, heard, left, handOver };
  }

  /** Nobody is there twice, and nobody is missing. */
  function settled(node: FakeNode, pid: number): void {
    expect(node.slot('Worker.1')).toMatchObject({ child: { pid }, next: null, timer: null });
    const there = node.supervisor.living().filter(({ name }) => name === 'spush.m.Worker.1');
    expect(there.map((child) => child.pid)).toEqual([pid]);
  }

  it('has its place, and is asked questions, until its connections have been moved', async () => {
    const { node, slot, old, next, replaced, left, handOver } = await leaving();
    expect(slot).toMatchObject({ child: { pid: old.pid }, next: { pid: next.pid }, restarts: 0 });
    expect(node.supervisor.ready('worker').map(({ pid }) => pid)).toContain(old.pid);
    next.onSession = ({ id }) => next.peer.note('handoff.adopted', { id, pausedMs: 7 });
    await handOver('a', 'b');
    left.resolve({ closed: { output: 1 }, left: 0 });
    expect(await replaced).toMatchObject({
      child: { pid: next.pid },
      kept: 2,
      closed: 1,
      closedBy: { output: 1 },
      longestPauseMs: 7,
    });
    expect(slot.restarts).toBe(1);
    settled(node, next.pid);
  });

  it('stays when the new one dies while it takes the connections', async () => {
    const { node, old, next, replaced, left, handOver } = await leaving();
    await handOver('a');
    next.end(null, 'SIGSEGV');
    left.resolve({ closed: {}, left: 1 });
    await expect(replaced).rejects.toMatchObject({ code: 'RELOAD_FAILED' });
    expect(old.handoff).toEqual(['returned a', 'abort', 'stay']);
    expect(node.slot('Worker.1').restarts).toBe(0);
    settled(node, old.pid);
  });

  it('leaves its place to the new one when it dies meanwhile', async () => {
    const { node, slot, old, next, replaced } = await leaving();
    old.end(null, 'SIGSEGV');
    await turns();
    expect(slot).toMatchObject({ child: { pid: next.pid }, next: null, timer: null });
    expect(await replaced).toMatchObject({ child: { pid: next.pid } });
    settled(node, next.pid);
    expect(node.spawner.children).toHaveLength(6);
  });

  it('is started again once when both die', async () => {
    for (const order of ['old first', 'new first']) {
      const { node, slot, old, next, replaced } = await leaving();
      for (const child of order === 'old first' ? [old, next] : [next, old]) child.end(null, 'SIGKILL');
      await turns();
      await Promise.allSettled([replaced]);
      const third = await node.spawner.after(next);
      obey(third);
      third.becomeReady();
      await turns();
      expect(slot.child?.pid).toBe(third.pid);
      settled(node, third.pid);
    }
  });

  it('is not moved when it was not ready itself', async () => {
    const node = await FakeNode.start();
    const first = node.last('Worker.1');
    first.end(null, 'SIGKILL');
    const old = await node.spawner.after(first);
    obey(old);
    old.peer.note('hello', {});
    const { replaced } = await replacing(node, 'Worker.1');
    const next = await node.comesUp(old);
    expect(await replaced).toMatchObject({ kept: 0, closed: 0 });
    settled(node, next.pid);
  });

  it('stays when its successor is not ready in half a minute', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const node = await FakeNode.start();
      const { old, replaced } = await replacing(node, 'Worker.1');
      const failed = expect(replaced).rejects.toMatchObject({
        message:
          'the new spush.m.Worker.1 did not come up: it was not ready within 30 s; the process that was there goes on',
      });
      await vi.advanceTimersByTimeAsync(30_000);
      await failed;
      expect(old.handoff).toEqual([]);
      settled(node, old.pid);
    } finally {
      vi.useRealTimers();
    }
  });

  it('stays when its successor stalls and has to be killed', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
    try {
      const { node, slot, old, next, replaced, handOver } = await leaving();
      next.onSignal = (signal) => {
        if (signal === 'SIGKILL') next.end(null, signal);
      };
      const failed = expect(replaced).rejects.toMatchObject({ code: 'RELOAD_FAILED' });
      next.calls = { 'handoff.expect': () => ({}) };
      await handOver('a');
      await vi.advanceTimersByTimeAsync(3250);
      expect(slot).toMatchObject({ child: { pid: old.pid }, next: { pid: next.pid } });
      await vi.advanceTimersByTimeAsync(3250);
      await failed;
      expect(next.signals).toEqual(['SIGCONT', 'SIGKILL']);
      expect(old.handoff).toEqual(['abort', 'returned a', 'stay']);
      settled(node, old.pid);
    } finally {
      vi.useRealTimers();
    }
  });
});
