import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TASKS_WAITING_MAX, TaskRouter, type TaskRunner } from '../../../../src/master/relay/task-router.js';
import { systemClock } from '../../../../src/platform/clock/system-clock.js';
import { SpushError } from '../../../../src/shared/base/errors.js';
import { type Deferred, deferred, turns } from '../../../support/deferred.js';

interface Running {
  readonly args: { name: string; args: unknown; deadlineMs: number };
  readonly end: Deferred<{ result: unknown }>;
}

class Runner implements TaskRunner {
  readonly running: Running[] = [];
  readonly peer = {
    call: (_name: string, args: unknown): Promise<never> => {
      const end = deferred<{ result: unknown }>();
      this.running.push({ args: args as Running['args'], end });
      return end.promise as Promise<never>;
    },
  };
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

function setUp(runningMax = 2) {
  const router = new TaskRouter(() => runningMax, systemClock);
  const [a, b] = [new Runner('a'), new Runner('b')];
  const run = (name = 'sweep', deadlineMs = 1000) => router.run({ name, args: {}, deadlineMs });
  return { router, a, b, run };
}

describe('TaskRouter', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
  afterEach(() => vi.useRealTimers());

  it('brings each task to the TaskWorker with the fewest', async () => {
    const { router, a, b, run } = setUp();
    router.attach(a);
    router.attach(b);
    const all = [run('1'), run('2'), run('3')];
    expect(a.running.map(({ args }) => args.name)).toEqual(['1', '3']);
    expect(b.running.map(({ args }) => args.name)).toEqual(['2']);
    for (const { end } of [...a.running, ...b.running]) end.resolve({ result: 7 });
    expect(await Promise.all(all)).toEqual([{ result: 7 }, { result: 7 }, { result: 7 }]);
    expect(router.runningOf(a)).toBe(0);
  });

  it('lets tasks wait in order when all are full, and never runs more than allowed', async () => {
    const { router, a, run } = setUp(1);
    router.attach(a);
    const all = ['1', '2', '3'].map((name) => run(name));
    expect(router.queued).toBe(2);
    for (const name of ['1', '2', '3']) {
      await turns(1);
      expect(a.running.map(({ args }) => args.name)).toEqual([name]);
      expect(router.runningOf(a)).toBe(1);
      a.running.shift()?.end.resolve({ result: name });
    }
    expect(await Promise.all(all)).toEqual([{ result: '1' }, { result: '2' }, { result: '3' }]);
  });

  it('spreads what has waited over those that come', async () => {
    const { router, a, b, run } = setUp(2);
    const all = ['1', '2', '3', '4', '5'].map((name) => run(name).catch(() => {}));
    router.attach(a);
    router.attach(b);
    await turns(1);
    expect(a.running).toHaveLength(2);
    expect(b.running).toHaveLength(2);
    expect(router.queued).toBe(1);
    router.close();
    for (const { end } of [...a.running, ...b.running]) end.resolve({ result: null });
    await Promise.all(all);
  });

  it('takes the time spent waiting off the deadline', async () => {
    const { router, a, run } = setUp();
    const task = run('late', 1000);
    await vi.advanceTimersByTimeAsync(400);
    router.attach(a);
    await turns(1);
    expect(a.running[0]?.args.deadlineMs).toBe(600);
    a.running[0]?.end.resolve({ result: 1 });
    await task;
  });

  it('fails a task that found no TaskWorker by its deadline', async () => {
    const { router, run } = setUp();
    const failed = expect(run('x', 500)).rejects.toMatchObject({ code: 'TASK_TIMEOUT' });
    await vi.advanceTimersByTimeAsync(500);
    await failed;
    expect(router.queued).toBe(0);
  });

  it('says TASK_TIMEOUT when the TaskWorker does not answer', async () => {
    const { router, a, run } = setUp();
    router.attach(a);
    const failed = expect(run()).rejects.toMatchObject({ code: 'TASK_TIMEOUT' });
    a.running[0]?.end.reject(new SpushError('RPC_TIMEOUT', 'no answer'));
    await failed;
  });

  it('fails the tasks of a TaskWorker that dies, and goes on with another', async () => {
    const { router, a, b, run } = setUp(1);
    router.attach(a);
    const dead = expect(run('1')).rejects.toMatchObject({ code: 'RPC_PEER_GONE' });
    const waits = run('2');
    router.detach(a);
    a.running[0]?.end.reject(new SpushError('RPC_PEER_GONE', 'a ended'));
    await dead;
    expect(a.running).toHaveLength(1);
    router.attach(b);
    await turns(1);
    b.running[0]?.end.resolve({ result: 'b' });
    expect(await waits).toEqual({ result: 'b' });
  });

  it('refuses when too many wait', async () => {
    const { router, run } = setUp();
    const waiting = Array.from({ length: TASKS_WAITING_MAX }, () =>
      run().catch((error: SpushError) => error.code),
    );
    await expect(run('one more')).rejects.toMatchObject({ code: 'TASK_BUSY' });
    router.close();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['SHUTTING_DOWN']));
  });

  it('starts nothing any more once it is closed, and lets run what runs', async () => {
    const { router, a, run } = setUp(1);
    router.attach(a);
    const runs = run('1');
    router.close();
    await expect(run('2')).rejects.toMatchObject({ code: 'SHUTTING_DOWN' });
    a.running[0]?.end.resolve({ result: 'done' });
    expect(await runs).toEqual({ result: 'done' });
  });
});
