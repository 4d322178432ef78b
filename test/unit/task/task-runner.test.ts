import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { systemClock } from '../../../src/platform/clock/system-clock.js';
import { SpushError } from '../../../src/shared/base/errors.js';
import { defineTask, STUCK_AFTER_MS, TaskRunner } from '../../../src/task/task-runner.js';
import { deferred, turns } from '../../support/deferred.js';
import { recordedLog } from '../../support/recorded-log.js';

function setUp() {
  const log = recordedLog();
  const signals: AbortSignal[] = [];
  const slow = deferred<string>();
  const stuck: string[] = [];
  const watched: (number | 'ended')[] = [];
  const runner = new TaskRunner(
    [
      defineTask('double', z.object({ n: z.int() }), async ({ n }) => n * 2),
      defineTask('slow', z.object({}), async (_args, { signal }) => {
        signals.push(signal);
        return slow.promise;
      }),
      defineTask('heedful', z.object({}), (_args, { signal }) => {
        return new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason)),
        );
      }),
      defineTask('broken', z.object({}), async () => Promise.reject(new RangeError('boom'))),
      defineTask('refused', z.object({}), async () => {
        throw new SpushError('STORE_UNAVAILABLE', 'the disk is full');
      }),
    ],
    {
      clock: systemClock,
      log,
      onStuck: (reason) => stuck.push(reason),
      watch: (endsWithinMs) => {
        watched.push(endsWithinMs);
        return () => watched.push('ended');
      },
    },
  );
  const run = (name: string, args: unknown = {}, deadlineMs = 1000) => runner.run({ name, args, deadlineMs });
  return { runner, run, log, signals, slow, stuck, watched };
}

describe('TaskRunner', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => vi.useRealTimers());

  it('runs a task with checked arguments and counts it', async () => {
    const { run, runner } = setUp();
    expect(await run('double', { n: 21 })).toBe(42);
    expect(runner.counts).toEqual({ tasksRunning: 0, tasksDone: 1, tasksFailed: 0 });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('refuses arguments that do not fit, and names that are not there', async () => {
    const { run } = setUp();
    await expect(run('double', { n: 'x' })).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      message: expect.stringContaining('n:'),
    });
    await expect(run('duoble')).rejects.toMatchObject({
      code: 'TASK_UNKNOWN',
      message: expect.stringMatching(
        /^there is no task "duoble"\. Did you mean double\? Tasks: .*\bdouble\b.*\brefused\b.*\.$/,
      ),
    });
  });

  it('keeps the code of an expected error; a bug becomes TASK_FAILED and leaves its stack in the log', async () => {
    const { run, runner, log } = setUp();
    await expect(run('refused')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await expect(run('broken')).rejects.toMatchObject({
      code: 'TASK_FAILED',
      message: 'task broken failed: boom',
    });
    expect(runner.counts.tasksFailed).toBe(2);
    expect(log.lines.at(-1)?.fields['stack']).toContain('RangeError');
  });

  it('raises the signal at the deadline and answers TASK_TIMEOUT', async () => {
    const { run, runner } = setUp();
    const late = expect(run('heedful', {}, 500)).rejects.toMatchObject({ code: 'TASK_TIMEOUT' });
    await vi.advanceTimersByTimeAsync(500);
    await late;
    await turns();
    expect(runner.counts).toEqual({ tasksRunning: 0, tasksDone: 0, tasksFailed: 1 });
  });

  it('counts a task that heeds its signal late as running until it ends, and then as failed', async () => {
    const { run, runner, slow, signals, stuck } = setUp();
    const late = expect(run('slow', {}, 500)).rejects.toMatchObject({ code: 'TASK_TIMEOUT' });
    await vi.advanceTimersByTimeAsync(500);
    await late;
    expect(signals[0]?.aborted).toBe(true);
    expect(runner.counts.tasksRunning).toBe(1);
    slow.resolve('at last');
    await turns();
    expect(runner.counts).toEqual({ tasksRunning: 0, tasksDone: 0, tasksFailed: 1 });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(stuck).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('finishes what runs when it is closed, says what it waits for, and takes nothing new', async () => {
    const { run, runner, slow } = setUp();
    const running = run('slow', {}, 60_000);
    const waiting: string[] = [];
    const closed = runner.close({ deadlineMs: 15_000, waiting: (what) => waiting.push(what) });
    await expect(run('double', { n: 1 })).rejects.toMatchObject({ code: 'SHUTTING_DOWN' });
    slow.resolve('done');
    expect(await running).toBe('done');
    await closed;
    expect(waiting).toEqual(['1 running tasks: slow']);
  });

  it('breaks off what still runs shortly before the process has to end', async () => {
    const { run, runner } = setUp();
    const running = expect(run('heedful', {}, 60_000)).rejects.toMatchObject({ code: 'SHUTTING_DOWN' });
    const closed = runner.close({ deadlineMs: 15_000, waiting() {} });
    await vi.advanceTimersByTimeAsync(14_000);
    await running;
    await closed;
  });

  it('gives up a task that does not end after its signal: the others fail with that reason', async () => {
    const { run, runner, stuck } = setUp();
    const late = expect(run('slow', {}, 500)).rejects.toMatchObject({ code: 'TASK_TIMEOUT' });
    const other = expect(run('slow', {}, 60_000)).rejects.toMatchObject({
      code: 'TASK_FAILED',
      message:
        'task slow was broken off: task slow did not end within 5 s of its signal, so its TaskWorker ends',
    });
    await vi.advanceTimersByTimeAsync(500);
    await late;
    await vi.advanceTimersByTimeAsync(STUCK_AFTER_MS - 1);
    expect(stuck).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    await other;
    expect(stuck).toEqual(['task slow did not end within 5 s of its signal, so its TaskWorker ends']);
    expect(runner.counts.tasksFailed).toBe(2);
    await expect(run('double', { n: 1 })).rejects.toMatchObject({ code: 'SHUTTING_DOWN' });
  });

  it('says from start to end by when each run is over', async () => {
    const { run, watched } = setUp();
    await run('double', { n: 1 }, 700);
    await expect(run('broken', {}, 900)).rejects.toThrow();
    expect(watched).toEqual([700 + STUCK_AFTER_MS, 'ended', 900 + STUCK_AFTER_MS, 'ended']);
  });
});
