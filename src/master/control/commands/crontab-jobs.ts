/** `crontab.show`, `.stop`, `.resume` and `.reset`: the CrontabScheduler knows its jobs, it is only asked here. */
import type { ControlHandler } from '../control-handlers.js';
import { type FindScheduler, runningScheduler } from './running-scheduler.js';

const DEADLINE_MS = 5000;

export function crontabShow(scheduler: FindScheduler): ControlHandler<'crontab.show'> {
  return async () => runningScheduler(scheduler).peer.call('crontab.show', {}, { deadlineMs: DEADLINE_MS });
}

export function crontabStop(scheduler: FindScheduler): ControlHandler<'crontab.stop'> {
  return async ({ name }) => change(scheduler, { action: 'stop', name });
}

export function crontabResume(scheduler: FindScheduler): ControlHandler<'crontab.resume'> {
  return async ({ name }) => change(scheduler, { action: 'resume', name });
}

export function crontabReset(scheduler: FindScheduler): ControlHandler<'crontab.reset'> {
  return async ({ name, rule }) => change(scheduler, { action: 'reset', name, rule });
}

function change(
  scheduler: FindScheduler,
  args: { action: 'stop' | 'resume' | 'reset'; name: string; rule?: string },
) {
  return runningScheduler(scheduler).peer.call('crontab.change', args, { deadlineMs: DEADLINE_MS });
}
