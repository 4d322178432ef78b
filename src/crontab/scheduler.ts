/**
 * Fires jobs when their rules say so, or when somebody asks. A job that is still running is not started a second time: a
 * tick of its rule is skipped and counted, a person is told. What a job throws is kept as its last result and harms nothing.
 *
 * A job can be stopped, resumed and given another rule while the server runs; that takes effect at once, a run under way
 * goes on. What must outlive this process is given to `keep` after each change.
 */
import { checkRule } from '../platform/cron/rule.js';
import { RuleTimes } from '../platform/cron/rule-times.js';
import type { Log } from '../platform/log/log.js';
import { type Clock, msSince } from '../shared/base/clock.js';
import { errorText, isSpushError, SpushError } from '../shared/base/errors.js';
import { nearestOf } from '../shared/base/nearest.js';
import type { CrontabRow } from '../shared/protocol/control-commands.js';
import { afterRestart, type JobRecord, type JobRecords, NEVER_RAN, shortened } from './job-record.js';
import { jobRow } from './job-row.js';
import { type Schedule, Timetable } from './timetable.js';

/** Of a stop's time: for the last writing of the records. */
const KEEP_BEFORE_END_MS = 500;

export interface Job {
  readonly name: string;
  /** Minute, hour, day of month, month, day of week. */
  readonly rule: string;
  run(): Promise<unknown>;
}

/** Answer of a run that was asked for; the duration is null when its end was not waited for. */
export interface JobRun {
  readonly result: unknown;
  readonly durationMs: number | null;
}

type RunEnd =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly error: string };

interface ScheduledJob {
  readonly job: Job;
  /** Null while the job is stopped. */
  schedule: Schedule | null;
  record: JobRecord;
  running: Promise<RunEnd> | null;
}

export interface SchedulerOptions {
  readonly jobs: readonly Job[];
  /** What was kept of them, and of jobs that are not there now: those may come back. */
  readonly kept: JobRecords;
  /** Resolves when the records are on the disk. */
  readonly keep: (records: JobRecords) => Promise<void>;
  /** Null: the machine's. */
  readonly timeZone: string | null;
  readonly clock: Clock;
  readonly log: Log;
}

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #timetable: Timetable;
  readonly #jobs: ReadonlyMap<string, ScheduledJob>;
  #started = false;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#timetable = new Timetable(options);
    this.#jobs = new Map(
      options.jobs.map((job) => {
        const record = this.#recordOf(job);
        return [job.name, { job, schedule: null, record, running: null }];
      }),
    );
  }

  start(): void {
    this.#started = true;
    for (const scheduled of this.#jobs.values()) this.#arm(scheduled);
  }

  /** No more ticks. Waits for the end of what runs, so that it is not forgotten; resolves when the records are kept. */
  async close(options: { deadlineMs: number; waiting(what: string): void }): Promise<void> {
    this.#started = false;
    const jobs = [...this.#jobs.values()];
    for (const scheduled of jobs) this.#arm(scheduled);
    const running = jobs.filter((scheduled) => scheduled.running !== null);
    if (running.length > 0) {
      options.waiting(`${running.length} running jobs: ${running.map(({ job }) => job.name).join(', ')}`);
      const ends = Promise.all(running.map((scheduled) => scheduled.running));
      await endOrDeadline(ends, Math.max(0, options.deadlineMs - KEEP_BEFORE_END_MS));
    }
    await this.#keep();
  }

  record(name: string): JobRecord {
    return this.#find(name).record;
  }

  rows(): CrontabRow[] {
    return [...this.#jobs.values()].map(({ job, record, schedule, running }) =>
      jobRow({
        name: job.name,
        rule: record.rule ?? job.rule,
        record,
        running: running !== null,
        nextRun: schedule?.nextRun() ?? null,
      }),
    );
  }

  /** Runs a job now, a stopped one too; resolves when it has ended, or, without `wait`, when it has been started. */
  async runNow(name: string, options: { wait: boolean }): Promise<JobRun> {
    const scheduled = this.#find(name);
    if (scheduled.running) {
      const since = new Date(scheduled.record.lastStart ?? 0).toISOString();
      throw new SpushError('TASK_BUSY', `${name} is running already, since ${since}; wait for its end`);
    }
    const { counted, end: running } = this.#run(scheduled);
    if (!options.wait) {
      await counted;
      return { result: { started: true }, durationMs: null };
    }
    const end = await running;
    if (!end.ok) throw new SpushError('TASK_FAILED', `${name} failed: ${end.error}`);
    return { result: end.result, durationMs: scheduled.record.lastDurationMs };
  }

  async stopJob(name: string): Promise<void> {
    const scheduled = this.#find(name);
    if (scheduled.record.stopped) {
      throw new SpushError('CRON_ALREADY_STOPPED', `crontab: ${name} is already stop`);
    }
    await this.#change(scheduled, { stopped: true }, 'stopped');
  }

  async resumeJob(name: string): Promise<void> {
    const scheduled = this.#find(name);
    if (!scheduled.record.stopped) throw new SpushError('CRON_NOT_STOPPED', `crontab: ${name} is running`);
    await this.#change(scheduled, { stopped: false }, 'resumed');
  }

  /** Gives the job another rule; a stopped one stays stopped. */
  async resetJob(name: string, text: string): Promise<void> {
    const scheduled = this.#find(name);
    const check = checkRule(text, this.#options.timeZone);
    if (!check.ok) {
      throw new SpushError('CRON_RULE_INVALID', `crontab: ${name} cannot follow "${text}": ${check.reason}`);
    }
    const rule = check.rule === scheduled.job.rule ? null : check.rule;
    await this.#change(scheduled, { rule }, 'reset');
  }

  async #change(
    scheduled: ScheduledJob,
    change: Partial<Pick<JobRecord, 'stopped' | 'rule'>>,
    done: 'stopped' | 'resumed' | 'reset',
  ): Promise<void> {
    scheduled.record = { ...scheduled.record, ...change };
    this.#arm(scheduled);
    const { name, rule } = scheduled.job;
    this.#options.log.info(`job.${done}`, { job: name, rule: scheduled.record.rule ?? rule });
    try {
      await this.#keep();
    } catch (cause) {
      throw new SpushError(
        'INTERNAL',
        `crontab: ${name} is ${done}, but only until the CrontabScheduler ends, as this cannot be kept: ${errorText(cause)}`,
        { cause },
      );
    }
  }

  /** Follows the job's rule of now, or none. */
  #arm(scheduled: ScheduledJob): void {
    scheduled.schedule?.close();
    scheduled.schedule = null;
    if (!this.#started || scheduled.record.stopped) return;
    const rule = scheduled.record.rule ?? scheduled.job.rule;
    const times = new RuleTimes(rule, this.#options.timeZone);
    scheduled.schedule = this.#timetable.follow(scheduled.job.name, times, () => this.#tick(scheduled));
  }

  #tick(scheduled: ScheduledJob): void {
    if (scheduled.running) {
      scheduled.record = { ...scheduled.record, skipped: scheduled.record.skipped + 1 };
      this.#options.log.warn('job.skipped', { job: scheduled.job.name, skipped: scheduled.record.skipped });
      void this.#keepOrLog();
      return;
    }
    this.#run(scheduled);
  }

  /** Neither promise rejects: `counted`, when the start is kept; `end`, when the job has ended and that is kept. */
  #run(scheduled: ScheduledJob): { counted: Promise<void>; end: Promise<RunEnd> } {
    const { job, record } = scheduled;
    const lastStart = this.#options.clock.now();
    scheduled.record = { ...record, runTimes: record.runTimes + 1, lastStart, lastEnd: null };
    const counted = this.#keepOrLog();
    this.#options.log.info('job.started', { job: job.name });
    const end = this.#runToEnd(scheduled);
    scheduled.running = end;
    return { counted, end };
  }

  async #runToEnd(scheduled: ScheduledJob): Promise<RunEnd> {
    const { job } = scheduled;
    const { clock, log } = this.#options;
    const startedAt = clock.moment();
    const end = await endOf(job);
    const lastEnd = clock.now();
    const lastDurationMs = Math.round(msSince(clock, startedAt));
    const lastResult = end.ok ? { ok: true as const } : { ok: false as const, error: shortened(end.error) };
    scheduled.record = { ...scheduled.record, lastEnd, lastDurationMs, lastResult };
    scheduled.running = null;
    if (end.ok) log.info('job.done', { job: job.name, durationMs: lastDurationMs });
    else log.error('job.failed', { job: job.name, durationMs: lastDurationMs, error: end.error });
    await this.#keepOrLog();
    return end;
  }

  #keep(): Promise<void> {
    const records = [...this.#jobs].map(([name, { record }]) => [name, record] as const);
    return this.#options.keep({ ...this.#options.kept, ...Object.fromEntries(records) });
  }

  /** Counters that cannot be kept are no reason not to run: whoever keeps them tells, and tries again. */
  async #keepOrLog(): Promise<void> {
    try {
      await this.#keep();
    } catch (error) {
      this.#options.log.debug('crontab.stateNotKept', { error: errorText(error) });
    }
  }

  /** What was kept of a job; a changed rule only while it is one, and another than the code's. */
  #recordOf(job: Job): JobRecord {
    const { kept, timeZone, log } = this.#options;
    const own = checkRule(job.rule, timeZone);
    if (!own.ok) {
      throw new SpushError('START_FAILED', `job ${job.name} cannot follow "${job.rule}": ${own.reason}`);
    }
    const record = Object.hasOwn(kept, job.name) ? afterRestart(kept[job.name] ?? NEVER_RAN) : NEVER_RAN;
    if (record.rule === null) return record;
    const check = checkRule(record.rule, timeZone);
    if (!check.ok) {
      log.warn('crontab.ruleDropped', { job: job.name, rule: record.rule, reason: check.reason });
    }
    return { ...record, rule: check.ok && check.rule !== own.rule ? check.rule : null };
  }

  #find(name: string): ScheduledJob {
    const found = this.#jobs.get(name);
    if (found) return found;
    throw new SpushError(
      'CRON_JOB_UNKNOWN',
      `there is no job "${name}".${nearestOf(name, this.#jobs.keys(), 'jobs')}`,
    );
  }
}

async function endOrDeadline(end: Promise<unknown>, deadlineMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, deadlineMs);
  });
  await Promise.race([end, late]);
  clearTimeout(timer);
}

async function endOf(job: Job): Promise<RunEnd> {
  try {
    return { ok: true, result: await job.run() };
  } catch (error) {
    const late = isSpushError(error, 'TASK_TIMEOUT') || isSpushError(error, 'RPC_TIMEOUT');
    return { ok: false, error: late ? `deadline passed: ${errorText(error)}` : errorText(error) };
  }
}
