/** The CrontabScheduler: fires jobs, which run as tasks in TaskWorkers. It opens nothing and holds no sockets. */

import { systemClock } from '../platform/clock/system-clock.js';
import { hooksDigest } from '../platform/config/hook-changes.js';
import { loadHooks } from '../platform/config/load-hooks.js';
import { fromPlainConfig } from '../platform/config/plain-config.js';
import { type ChildContext, runChild, type StartedChild } from '../platform/rpc/child-runtime.js';
import { childStats } from '../platform/rpc/child-stats.js';
import { changeJob } from './change-job.js';
import { Housekeeping } from './housekeeping.js';
import { ownJobs } from './jobs/own-jobs.js';
import { type RunTask, sweepJobs } from './jobs/sweep-jobs.js';
import { Scheduler } from './scheduler.js';
import { crontabStateFile, StateFile } from './state-file.js';

/** For the master's answer beyond the deadline of the task. */
const ANSWER_MARGIN_MS = 2000;

export function runCrontab(): Promise<number> {
  return runChild('crontab', {
    parseConfig: (plain) => fromPlainConfig(plain, { loadFunctions: false }),
    start: startCrontab,
  });
}

async function startCrontab(context: ChildContext): Promise<StartedChild<'crontab'>> {
  const { config, current, hasHooks, log, troubles, peer } = context;
  const runTask: RunTask = async (name, args) => {
    const deadlineMs = current().system.TaskSeconds * 1000;
    const answer = await peer.call(
      'task.run',
      { name, args, deadlineMs },
      { deadlineMs: deadlineMs + ANSWER_MARGIN_MS },
    );
    return answer.result;
  };
  const timeZone = config.system.TimeZone;
  const hooks = await loadHooks({ root: config.paths.root, timeZone, hasHooks });
  const stateFile = crontabStateFile(config.paths, config.mode);
  const state = new StateFile(stateFile, { troubles, clock: systemClock, log });
  const scheduler = new Scheduler({
    jobs: [...sweepJobs(runTask), ...ownJobs(hooks.jobs, runTask)],
    kept: await state.load(),
    keep: (records) => state.keep(records),
    timeZone,
    clock: systemClock,
    log,
  });
  const housekeeping = new Housekeeping({ work: () => runTask('prune', {}), random: Math.random, log });
  scheduler.start();
  housekeeping.start();
  return {
    hooks: hooksDigest(hooks),
    handlers: {
      calls: {
        stats: () => childStats({}),
        'crontab.run': ({ name, wait }) => scheduler.runNow(name, { wait }),
        'crontab.show': () => ({ jobs: scheduler.rows() }),
        'crontab.change': (change) => changeJob(scheduler, change),
      },
      notes: {},
      hands: {},
    },
    async stop(options) {
      housekeeping.stop();
      await scheduler.close(options);
    },
  };
}
