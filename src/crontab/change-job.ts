/** What `crontab stop`, `resume` and `reset` ask of the scheduler. */
import { assertNever } from '../shared/base/assert.js';
import { SpushError } from '../shared/base/errors.js';
import type { ToChild } from '../shared/protocol/ipc.js';
import type { Scheduler } from './scheduler.js';

type Change = ToChild['calls']['crontab.change'];

export async function changeJob(
  scheduler: Pick<Scheduler, 'stopJob' | 'resumeJob' | 'resetJob' | 'rows'>,
  { action, name, rule }: Change['args'],
): Promise<Change['result']> {
  switch (action) {
    case 'stop':
      await scheduler.stopJob(name);
      break;
    case 'resume':
      await scheduler.resumeJob(name);
      break;
    case 'reset':
      if (rule === undefined) throw new SpushError('BAD_REQUEST', `crontab: no rule was given for ${name}`);
      await scheduler.resetJob(name, rule);
      break;
    default:
      assertNever(action);
  }
  return { jobs: scheduler.rows() };
}
