/** What is known of a job beside its name: kept over restarts, so that `crontab show` tells of the server, not of one process. */
import * as z from 'zod';
import { clipped } from '../shared/base/well-formed.js';

/** Of an error's text; the file is written after each run. */
export const ERROR_TEXT_MAX = 500;

const unixMs = z.number().nullable();
const count = z.int().min(0);

export const jobRecordSchema = z.object({
  stopped: z.boolean(),
  /** In place of the rule in the code; null: that one counts. */
  rule: z.string().nullable(),
  runTimes: count,
  /** Ticks that found the job still running. */
  skipped: count,
  /** The end is null while the job runs. */
  lastStart: unixMs,
  lastEnd: unixMs,
  lastDurationMs: z.number().nullable(),
  lastResult: z
    .discriminatedUnion('ok', [
      z.object({ ok: z.literal(true) }),
      z.object({ ok: z.literal(false), error: z.string() }),
    ])
    .nullable(),
});
export type JobRecord = z.infer<typeof jobRecordSchema>;
export type JobRecords = Readonly<Record<string, JobRecord>>;

export const NEVER_RAN: JobRecord = {
  stopped: false,
  rule: null,
  runTimes: 0,
  skipped: 0,
  lastStart: null,
  lastEnd: null,
  lastDurationMs: null,
  lastResult: null,
};

/** A run that had begun when the last scheduler ended: nobody knows what became of it. */
export function afterRestart(record: JobRecord): JobRecord {
  if (record.lastStart === null || record.lastEnd !== null) return record;
  const error = 'not known: the CrontabScheduler ended while the job ran';
  return {
    ...record,
    lastEnd: record.lastStart,
    lastDurationMs: null,
    lastResult: { ok: false, error },
  };
}

export function shortened(error: string): string {
  return clipped(error, ERROR_TEXT_MAX);
}
