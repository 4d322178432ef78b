/** The table of jobs, which every crontab command ends with, as in the original. */
import { systemClock } from '../platform/clock/system-clock.js';
import type { CrontabRow } from '../shared/protocol/control-commands.js';
import type { CliContext, GivenOptions } from './action.js';
import { shortTime, text, time } from './figures.js';
import { type FittedColumn, fitTable, type Layout } from './fitted-table.js';

export interface CrontabData {
  readonly jobs: readonly CrontabRow[];
}

/** The result line, if any, and the table; under --json what the master answered. */
export function printJobs(
  { terminal }: CliContext,
  options: GivenOptions,
  { jobs, done }: CrontabData & { readonly done?: string },
): void {
  if (options.flag('json')) {
    terminal.printJson({ jobs });
    return;
  }
  if (done !== undefined) terminal.print(terminal.paint('green', done));
  if (jobs.length === 0) terminal.print('no crontab job is registered');
  else terminal.print(crontabTable(jobs, { width: terminal.width, now: new Date(systemClock.now()) }));
}

export function crontabTable(
  jobs: readonly CrontabRow[],
  { width, now }: { readonly width: number; readonly now: Date },
): string {
  const { text: table, layout } = fitTable([FULL, WITHOUT_RESULT, narrowest(now)], jobs, { width });
  if (layout.includes(LAST_RESULT)) return table;
  const notes = jobs
    .filter(({ lastResult }) => lastResult !== null && lastResult !== 'ok')
    .map(({ taskName, lastResult }) => `${taskName}: ${lastResult}`);
  return [table, ...notes].join('\n');
}

type JobColumn = FittedColumn<CrontabRow>;

const NAME: JobColumn = { title: 'taskName', cell: ({ taskName }) => taskName };
const RULE: JobColumn = { title: 'taskRule', cell: ({ taskRule }) => taskRule };
const RUN_TIMES: JobColumn = { title: 'taskRunTimes', cell: ({ taskRunTimes }) => text(taskRunTimes) };
const NEXT: JobColumn = { title: 'taskNextRunTime', cell: (job) => time(job.taskNextRunTime) };
const CURRENT: JobColumn = { title: 'taskCurrentRunTime', cell: (job) => time(job.taskCurrentRunTime) };
const IS_STOP: JobColumn = { title: 'isStop', cell: ({ isStop }) => text(isStop) };
const LAST_RESULT: JobColumn = { title: 'lastResult', cell: ({ lastResult }) => text(lastResult) };
const LAST_DURATION: JobColumn = {
  title: 'lastDurationMs',
  cell: ({ lastDurationMs }) => text(lastDurationMs),
};
const SKIPPED: JobColumn = { title: 'skipped', cell: ({ skipped }) => text(skipped) };

const WITHOUT_RESULT = [NAME, RULE, RUN_TIMES, NEXT, CURRENT, IS_STOP];
const FULL = [...WITHOUT_RESULT, LAST_RESULT, LAST_DURATION, SKIPPED];

/** Fits 80 columns with the jobs that spush itself has. */
function narrowest(now: Date): Layout<CrontabRow> {
  return [
    NAME,
    RULE,
    { title: 'runs', cell: RUN_TIMES.cell },
    { title: 'next', cell: (job) => shortTime(job.taskNextRunTime, now) },
    { title: 'current', cell: (job) => shortTime(job.taskCurrentRunTime, now) },
    { title: 'stop', cell: IS_STOP.cell },
  ];
}
