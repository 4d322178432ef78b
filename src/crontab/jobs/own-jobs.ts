/** The jobs of bootstrap.ts: each runs a task, in a TaskWorker, as the built-in ones do. */
import type { OwnJob } from '../../platform/config/bootstrap-hooks.js';
import type { Job } from '../scheduler.js';
import type { RunTask } from './sweep-jobs.js';

export function ownJobs(jobs: readonly OwnJob[], runTask: RunTask): Job[] {
  return jobs.map(({ name, rule, task, args }) => ({ name, rule, run: () => runTask(task, args) }));
}
