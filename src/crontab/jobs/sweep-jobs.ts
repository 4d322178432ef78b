/** The three jobs of the original: each sweeps one kind of message, as a task in a TaskWorker. */
import { SWEEP_JOBS } from '../../shared/domain/kind.js';
import type { Job } from '../scheduler.js';

export type RunTask = (name: string, args: unknown) => Promise<unknown>;

export function sweepJobs(runTask: RunTask): Job[] {
  return Object.entries(SWEEP_JOBS).map(([name, { kind, rule }]) => ({
    name,
    rule,
    run: () => runTask('sweep', { kind }),
  }));
}
