/** A job as `crontab show` tells of it. */
import type { CrontabRow } from '../shared/protocol/control-commands.js';
import type { JobRecord } from './job-record.js';

export interface JobState {
  readonly name: string;
  /** The one that counts now. */
  readonly rule: string;
  readonly record: JobRecord;
  readonly running: boolean;
  /** Null while the job is stopped. */
  readonly nextRun: Date | null;
}

export function jobRow({ name, rule, record, running, nextRun }: JobState): CrontabRow {
  return {
    taskName: name,
    taskRule: rule,
    taskRunTimes: record.runTimes,
    taskNextRunTime: nextRun?.toISOString() ?? null,
    taskCurrentRunTime: record.lastStart === null ? null : new Date(record.lastStart).toISOString(),
    isStop: record.stopped ? 1 : 0,
    lastResult: running ? 'running' : resultText(record),
    lastDurationMs: record.lastDurationMs,
    skipped: record.skipped,
  };
}

function resultText({ lastResult }: JobRecord): string | null {
  if (lastResult === null) return null;
  return lastResult.ok ? 'ok' : lastResult.error;
}
