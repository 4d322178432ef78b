/** One rule that is followed: it ticks until it is closed. A change of the rule is a new schedule, so no old tick is left. */
import { createTask, type Logger } from 'node-cron';
import type { Log } from '../platform/log/log.js';
import { errorText } from '../shared/base/errors.js';

export interface Schedule {
  nextRun(): Date | null;
  close(): void;
}

export interface ScheduleOptions {
  readonly job: string;
  readonly rule: string;
  /** Null: the machine's. */
  readonly timeZone: string | null;
  readonly log: Log;
}

/** @param tick is not called any more once the schedule is closed. */
export function openSchedule({ job, rule, timeZone, log }: ScheduleOptions, tick: () => void): Schedule {
  let open = true;
  const task = createTask(
    rule,
    () => {
      if (open) tick();
    },
    {
      name: job,
      logger: cronLogger(job, log),
      ...(timeZone === null ? {} : { timezone: timeZone }),
    },
  );
  void task.start();
  return {
    nextRun: () => task.getNextRun(),
    close() {
      open = false;
      void task.destroy();
    },
  };
}

function cronLogger(job: string, log: Log): Logger {
  return {
    info: (message) => log.info('cron.info', { job, message }),
    warn: (message) => log.warn('cron.warning', { job, message }),
    error: (message) => log.error('cron.error', { job, message: errorText(message) }),
    debug: (message) => log.debug('cron.debug', { job, message: errorText(message) }),
  };
}
