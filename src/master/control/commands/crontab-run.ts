/** `crontab.run`: one job now, whatever its rule says. */
import type { ControlHandler } from '../control-handlers.js';
import { type FindScheduler, runningScheduler } from './running-scheduler.js';

/** To be told that the job has been started. */
const START_DEADLINE_MS = 5000;
/** Beyond the deadline of the job's task, for the way back. */
const WAIT_MARGIN_MS = 5000;

export interface CrontabRunDeps {
  readonly scheduler: FindScheduler;
  readonly taskSeconds: () => number;
}

export function crontabRun({ scheduler, taskSeconds }: CrontabRunDeps): ControlHandler<'crontab.run'> {
  return async ({ name, wait }, progress) => {
    const running = runningScheduler(scheduler);
    const deadlineMs = wait ? taskSeconds() * 1000 + WAIT_MARGIN_MS : START_DEADLINE_MS;
    if (wait) progress({ text: `waiting for ${name}` });
    const { result, durationMs } = await running.peer.call('crontab.run', { name, wait }, { deadlineMs });
    return { name, result, durationMs };
  };
}
