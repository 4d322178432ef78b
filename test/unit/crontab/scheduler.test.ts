import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type JobRecords, NEVER_RAN } from '../../../src/crontab/job-record.js';
import { sweepJobs } from '../../../src/crontab/jobs/sweep-jobs.js';
import { type Job, Scheduler } from '../../../src/crontab/scheduler.js';
import { systemClock } from '../../../src/platform/clock/system-clock.js';
import { SpushError } from '../../../src/shared/base/errors.js';
import { type Deferred, deferred } from '../../support/deferred.js';
import { recordedLog } from '../../support/recorded-log.js';

const MINUTE = 60_000;

interface SetUp {
  rule?: string;
  timeZone?: string | null;
  jobs?: Job[];
  kept?: JobRecords;
  keep?: (records: JobRecords) => Promise<void>;
}

/** A stop that waits for nobody. */
const AT_ONCE = { deadlineMs: 0, waiting() {} };

function setUp(options: SetUp = {}) {
  const kept: JobRecords[] = [];
  const runs: Deferred<unknown>[] = [];
  const log = recordedLog();
  const job: Job = {
    name: 'Job',
    rule: options.rule ?? '*/6 * * * *',
    run: () => {
      const run = deferred<unknown>();
      runs.push(run);
      return run.promise;
    },
  };
  const scheduler = new Scheduler({
    jobs: options.jobs ?? [job],
    kept: options.kept ?? {},
    keep:
      options.keep ??
      (async (records) => {
        kept.push(records);
      }),
    timeZone: options.timeZone === undefined ? 'UTC' : options.timeZone,
    clock: systemClock,
    log,
  });
  return { scheduler, runs, log, kept, row: () => scheduler.rows()[0] };
}

describe('Scheduler', () => {
  beforeEach(() =>
    vi.useFakeTimers({
      now: Date.UTC(2026, 0, 1, 12, 1),
      toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'],
    }),
  );
  afterEach(() => vi.useRealTimers());

  it('fires a job when its rule says so, and keeps what became of it', async () => {
    const { scheduler, runs } = setUp();
    scheduler.start();
    await vi.advanceTimersByTimeAsync(4 * MINUTE);
    expect(runs).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(runs).toHaveLength(1);
    expect(scheduler.record('Job')).toMatchObject({
      runTimes: 1,
      lastStart: Date.UTC(2026, 0, 1, 12, 6),
      lastEnd: null,
    });
    await vi.advanceTimersByTimeAsync(1500);
    runs[0]?.resolve({ users: 3 });
    await vi.advanceTimersByTimeAsync(0);
    expect(scheduler.record('Job')).toMatchObject({
      lastEnd: Date.UTC(2026, 0, 1, 12, 6, 1, 500),
      lastDurationMs: 1500,
      lastResult: { ok: true },
    });
    void scheduler.close(AT_ONCE);
  });

  it('skips and counts the ticks that find the job still running', async () => {
    const { scheduler, runs } = setUp();
    scheduler.start();
    await vi.advanceTimersByTimeAsync(18 * MINUTE);
    expect(runs).toHaveLength(1);
    expect(scheduler.record('Job')).toMatchObject({ runTimes: 1, skipped: 2 });
    runs[0]?.resolve(null);
    await vi.advanceTimersByTimeAsync(6 * MINUTE);
    expect(runs).toHaveLength(2);
    void scheduler.close(AT_ONCE);
  });

  it('keeps the error of a job that fails, and fires it again next time', async () => {
    const { scheduler, runs, log } = setUp();
    scheduler.start();
    await vi.advanceTimersByTimeAsync(5 * MINUTE);
    runs[0]?.reject(new Error('the store is gone'));
    await vi.advanceTimersByTimeAsync(0);
    expect(scheduler.record('Job').lastResult).toEqual({ ok: false, error: 'the store is gone' });
    expect(log.lines.find(({ event }) => event === 'job.failed')?.level).toBe('error');
    await vi.advanceTimersByTimeAsync(6 * MINUTE);
    expect(runs).toHaveLength(2);
    void scheduler.close(AT_ONCE);
  });

  it('fires in the time zone it is told', async () => {
    const { scheduler, runs } = setUp({ rule: '0 21 * * *', timeZone: 'Asia/Shanghai' });
    scheduler.start();
    await vi.advanceTimersByTimeAsync(58 * MINUTE);
    expect(runs).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(runs).toHaveLength(1);
    void scheduler.close(AT_ONCE);
  });

  it('fires no more once it is stopped', async () => {
    const { scheduler, runs } = setUp();
    scheduler.start();
    void scheduler.close(AT_ONCE);
    await vi.advanceTimersByTimeAsync(60 * MINUTE);
    expect(runs).toHaveLength(0);
  });

  it('runs a job by hand: answers when it has started, or when it has ended', async () => {
    const { scheduler, runs } = setUp();
    expect(await scheduler.runNow('Job', { wait: false })).toEqual({
      result: { started: true },
      durationMs: null,
    });
    runs[0]?.resolve(1);
    await vi.advanceTimersByTimeAsync(0);
    const waiting = scheduler.runNow('Job', { wait: true });
    runs[1]?.resolve({ messages: 9 });
    expect(await waiting).toEqual({ result: { messages: 9 }, durationMs: 0 });
    expect(scheduler.record('Job').runTimes).toBe(2);
  });

  it('does not run a job by hand beside itself', async () => {
    const { scheduler, runs } = setUp();
    await scheduler.runNow('Job', { wait: false });
    await expect(scheduler.runNow('Job', { wait: false })).rejects.toMatchObject({ code: 'TASK_BUSY' });
    expect(runs).toHaveLength(1);
  });

  it('tells whoever waits that the job failed', async () => {
    const { scheduler, runs } = setUp();
    const waiting = expect(scheduler.runNow('Job', { wait: true })).rejects.toMatchObject({
      code: 'TASK_FAILED',
      message: 'Job failed: no',
    });
    runs[0]?.reject(new Error('no'));
    await waiting;
  });

  it('offers the nearest names for one it does not know', async () => {
    const { scheduler } = setUp({ jobs: sweepJobs(async () => null) });
    await expect(scheduler.runNow('PushComentMsg', { wait: false })).rejects.toMatchObject({
      code: 'CRON_JOB_UNKNOWN',
      message:
        'there is no job "PushComentMsg". Did you mean PushCommentMsg? Jobs: PushCommentMsg, PushSystemNoticeMsg, PushUserNoticeMsg.',
    });
  });

  it.each([
    ['a rule', { rule: '99 * * * *' }, '"99 * * * *"'],
    ['a time zone', { timeZone: 'Mars/Olympus' }, 'Mars/Olympus'],
  ])('does not start with %s that cannot be followed', (_what, options, text) => {
    expect(() => setUp(options)).toThrow(
      expect.objectContaining({ code: 'START_FAILED', message: expect.stringContaining(text) }),
    );
  });

  it('sweeps each kind with the job of the original, at its times', async () => {
    const swept: unknown[] = [];
    const jobs = sweepJobs(async (name, args) => swept.push([name, args]));
    const { scheduler } = setUp({ jobs });
    scheduler.start();
    await vi.advanceTimersByTimeAsync(3 * 60 * MINUTE);
    void scheduler.close(AT_ONCE);
    const times = Object.fromEntries(jobs.map(({ name }) => [name, scheduler.record(name).runTimes]));
    expect(times).toEqual({ PushUserNoticeMsg: 30, PushSystemNoticeMsg: 1, PushCommentMsg: 30 });
    expect(swept).toContainEqual(['sweep', { kind: 'systemNotice' }]);
  });

  it('stops a job at once: an armed tick does not fire', async () => {
    const { scheduler, runs, row } = setUp();
    scheduler.start();
    expect(row()).toMatchObject({ isStop: 0, taskNextRunTime: '2026-01-01T12:06:00.000Z' });
    await vi.advanceTimersByTimeAsync(5 * MINUTE - 1);
    await scheduler.stopJob('Job');
    expect(row()).toMatchObject({ isStop: 1, taskNextRunTime: null });
    await vi.advanceTimersByTimeAsync(60 * MINUTE);
    expect(runs).toHaveLength(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('lets a run go on that is under way when its job is stopped', async () => {
    const { scheduler, runs, row } = setUp();
    await scheduler.runNow('Job', { wait: false });
    await scheduler.stopJob('Job');
    expect(row()).toMatchObject({ isStop: 1, lastResult: 'running' });
    runs[0]?.resolve(1);
    await vi.advanceTimersByTimeAsync(0);
    expect(row()).toMatchObject({ isStop: 1, lastResult: 'ok', lastDurationMs: 0 });
  });

  it('resumes a stopped job with its next time', async () => {
    const { scheduler, runs, row } = setUp();
    scheduler.start();
    await scheduler.stopJob('Job');
    await vi.advanceTimersByTimeAsync(10 * MINUTE);
    await scheduler.resumeJob('Job');
    expect(row()).toMatchObject({ isStop: 0, taskNextRunTime: '2026-01-01T12:12:00.000Z' });
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(runs).toHaveLength(1);
    void scheduler.close(AT_ONCE);
  });

  it('refuses to stop what is stopped and to resume what is not, in the words of the original', async () => {
    const { scheduler } = setUp();
    await expect(scheduler.resumeJob('Job')).rejects.toMatchObject({
      code: 'CRON_NOT_STOPPED',
      message: 'crontab: Job is running',
    });
    await scheduler.stopJob('Job');
    await expect(scheduler.stopJob('Job')).rejects.toMatchObject({
      code: 'CRON_ALREADY_STOPPED',
      message: 'crontab: Job is already stop',
    });
    for (const change of [
      scheduler.stopJob('Jop'),
      scheduler.resumeJob('Jop'),
      scheduler.resetJob('Jop', '@daily'),
    ]) {
      await expect(change).rejects.toMatchObject({
        code: 'CRON_JOB_UNKNOWN',
        message: 'there is no job "Jop". Did you mean Job? Jobs: Job.',
      });
    }
  });

  it('runs a stopped job by hand and counts it', async () => {
    const { scheduler, row, runs } = setUp();
    scheduler.start();
    await scheduler.stopJob('Job');
    const run = scheduler.runNow('Job', { wait: true });
    runs[0]?.resolve('yes');
    expect((await run).result).toBe('yes');
    expect(row()).toMatchObject({ isStop: 1, taskRunTimes: 1, lastResult: 'ok', taskNextRunTime: null });
  });

  it('follows another rule at once: the time of the old one does not come any more', async () => {
    const { scheduler, runs, row, kept } = setUp();
    scheduler.start();
    await vi.advanceTimersByTimeAsync(5 * MINUTE - 1);
    await scheduler.resetJob('Job', ' 30  12 * * * ');
    expect(row()).toMatchObject({ taskRule: '30 12 * * *', taskNextRunTime: '2026-01-01T12:30:00.000Z' });
    expect(kept.at(-1)?.['Job']?.rule).toBe('30 12 * * *');
    await vi.advanceTimersByTimeAsync(20 * MINUTE);
    expect(runs).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(5 * MINUTE);
    expect(runs).toHaveLength(1);
    void scheduler.close(AT_ONCE);
  });

  it('keeps a job that is given another rule stopped', async () => {
    const { scheduler, row } = setUp();
    scheduler.start();
    await scheduler.stopJob('Job');
    await scheduler.resetJob('Job', '@hourly');
    expect(row()).toMatchObject({ isStop: 1, taskRule: '0 * * * *', taskNextRunTime: null });
  });

  it('refuses a rule that cannot be followed, and goes on with the old one', async () => {
    const { scheduler, row } = setUp();
    scheduler.start();
    await expect(scheduler.resetJob('Job', '0 0 31 2 *')).rejects.toMatchObject({
      code: 'CRON_RULE_INVALID',
      message: expect.stringContaining('crontab: Job cannot follow "0 0 31 2 *": it never comes'),
    });
    expect(row()).toMatchObject({ taskRule: '*/6 * * * *', taskNextRunTime: '2026-01-01T12:06:00.000Z' });
    void scheduler.close(AT_ONCE);
  });

  it('does not keep a rule that is the one in the code', async () => {
    const { scheduler, kept } = setUp();
    await scheduler.resetJob('Job', '@hourly');
    await scheduler.resetJob('Job', '*/6  * * * *');
    expect(kept.at(-1)?.['Job']?.rule).toBeNull();
  });

  it('goes on with what was kept: stop flag, counters, rule, last result', () => {
    const record = {
      ...NEVER_RAN,
      stopped: true,
      rule: '1 2 * * *',
      runTimes: 7,
      skipped: 2,
      lastStart: 1000,
      lastEnd: 3000,
      lastDurationMs: 2000,
      lastResult: { ok: false as const, error: 'no' },
    };
    const { scheduler, row } = setUp({ kept: { Job: record } });
    scheduler.start();
    expect(row()).toEqual({
      taskName: 'Job',
      taskRule: '1 2 * * *',
      taskRunTimes: 7,
      taskNextRunTime: null,
      taskCurrentRunTime: '1970-01-01T00:00:01.000Z',
      isStop: 1,
      lastResult: 'no',
      lastDurationMs: 2000,
      skipped: 2,
    });
  });

  it.each([
    ['equals the one in the code', '*/6 * * * *', 0],
    ['cannot be followed', '99 * * * *', 1],
  ])('drops a kept rule that %s', (_what, rule, warnings) => {
    const { row, log } = setUp({ kept: { Job: { ...NEVER_RAN, rule } } });
    expect(row()?.taskRule).toBe('*/6 * * * *');
    expect(log.lines.filter(({ event }) => event === 'crontab.ruleDropped')).toHaveLength(warnings);
  });

  it('keeps what it knows of a job that is not there now', async () => {
    const gone = { ...NEVER_RAN, runTimes: 5 };
    const { scheduler, kept } = setUp({ kept: { Gone: gone } });
    await scheduler.stopJob('Job');
    expect(kept.at(-1)?.['Gone']).toEqual(gone);
    expect(scheduler.rows().map(({ taskName }) => taskName)).toEqual(['Job']);
  });

  it('keeps the start of a run, its end, and each skipped tick', async () => {
    const { scheduler, runs, kept } = setUp();
    scheduler.start();
    await vi.advanceTimersByTimeAsync(5 * MINUTE);
    expect(kept.at(-1)?.['Job']).toMatchObject({ runTimes: 1, lastEnd: null });
    await vi.advanceTimersByTimeAsync(6 * MINUTE);
    expect(kept.at(-1)?.['Job']).toMatchObject({ skipped: 1 });
    runs[0]?.resolve(1);
    await vi.advanceTimersByTimeAsync(0);
    expect(kept.at(-1)?.['Job']).toMatchObject({ lastResult: { ok: true }, lastDurationMs: 6 * MINUTE });
    void scheduler.close(AT_ONCE);
  });

  it('runs on when its records cannot be kept, and says so to whoever changes a job', async () => {
    const { scheduler, runs, log, row } = setUp({ keep: () => Promise.reject(new Error('disk full')) });
    scheduler.start();
    await vi.advanceTimersByTimeAsync(5 * MINUTE);
    expect(runs).toHaveLength(1);
    expect(log.lines).toContainEqual(
      expect.objectContaining({ level: 'debug', event: 'crontab.stateNotKept' }),
    );
    await expect(scheduler.stopJob('Job')).rejects.toMatchObject({
      message: expect.stringMatching(/Job is stopped, but only until .* disk full/),
    });
    expect(row()?.isStop).toBe(1);
  });

  it('says that the deadline has passed, and cuts a long error', async () => {
    const { scheduler, runs, row } = setUp();
    await scheduler.runNow('Job', { wait: false });
    runs[0]?.reject(new SpushError('TASK_TIMEOUT', 'task x did not end within 5 ms'));
    await vi.advanceTimersByTimeAsync(0);
    expect(row()?.lastResult).toBe('deadline passed: task x did not end within 5 ms');
    await scheduler.runNow('Job', { wait: false });
    runs[1]?.reject(new Error('x'.repeat(5000)));
    await vi.advanceTimersByTimeAsync(0);
    expect(row()?.lastResult).toHaveLength(501);
  });

  it('waits at its end for what runs, within its time, and keeps what became of it', async () => {
    const { scheduler, runs, kept } = setUp();
    await scheduler.runNow('Job', { wait: false });
    const waiting: string[] = [];
    const closed = scheduler.close({ deadlineMs: 15_000, waiting: (what) => waiting.push(what) });
    await vi.advanceTimersByTimeAsync(2000);
    runs[0]?.resolve(1);
    await closed;
    expect(waiting).toEqual(['1 running jobs: Job']);
    expect(kept.at(-1)?.['Job']).toMatchObject({ lastDurationMs: 2000, lastResult: { ok: true } });

    await scheduler.runNow('Job', { wait: false });
    const cutOff = scheduler.close({ deadlineMs: 15_000, waiting() {} });
    await vi.advanceTimersByTimeAsync(14_500);
    await cutOff;
    expect(kept.at(-1)?.['Job']?.lastEnd).toBeNull();
  });
});
