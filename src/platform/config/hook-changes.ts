/**
 * How the jobs and tasks of bootstrap.ts differ from those that a server runs with, by their names. Of a function its text is
 * compared: a change in a file that bootstrap.ts imports is not seen.
 */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { NameChangesRow } from '../../shared/protocol/name-changes.js';
import type { HookRun, Hooks, OwnJob } from './bootstrap-hooks.js';
import { canonicalText } from './value-digest.js';

export interface NameChanges {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

export interface HookChanges {
  readonly jobs: NameChanges;
  /** Without functions that belong to a job: a change of those is a change of the job. */
  readonly tasks: NameChanges;
}

export function hookChanges(before: Hooks, after: Hooks): HookChanges {
  return {
    jobs: nameChanges(jobsOf(before), jobsOf(after)),
    tasks: nameChanges(tasksOf(before), tasksOf(after)),
  };
}

export function hasHookChanges({ jobs, tasks }: HookChanges): boolean {
  return [jobs, tasks].some(
    ({ added, removed, changed }) => added.length + removed.length + changed.length > 0,
  );
}

/** In the form that travels. */
export function hookRows({ jobs, tasks }: HookChanges): { jobs: NameChangesRow; tasks: NameChangesRow } {
  return { jobs: rowOf(jobs), tasks: rowOf(tasks) };
}

function rowOf({ added, removed, changed }: NameChanges): NameChangesRow {
  return { added: [...added], removed: [...removed], changed: [...changed] };
}

/** The same for hooks between which `hookChanges` finds no difference. */
export function hooksDigest(hooks: Hooks): string {
  const text = canonicalText([jobsOf(hooks), tasksOf(hooks)].map((byName) => Object.fromEntries(byName)));
  return createHash('sha256').update(text).digest('base64url');
}

function jobsOf({ jobs, tasks }: Hooks): ReadonlyMap<string, unknown> {
  const runs = new Map<string, HookRun>(tasks.map(({ name, run }) => [name, run]));
  return new Map(
    jobs.map((job) => [job.name, { ...job, run: bringsRun(job) ? String(runs.get(job.task)) : null }]),
  );
}

function tasksOf({ jobs, tasks }: Hooks): ReadonlyMap<string, unknown> {
  const ofJobs = new Set(jobs.filter(bringsRun).map(({ task }) => task));
  return new Map(tasks.filter(({ name }) => !ofJobs.has(name)).map(({ name, run }) => [name, String(run)]));
}

/** The function of a job is a task of the job's name. */
function bringsRun({ name, task }: OwnJob): boolean {
  return task === name;
}

function nameChanges(before: ReadonlyMap<string, unknown>, after: ReadonlyMap<string, unknown>): NameChanges {
  const names = [...after.keys()];
  return {
    added: names.filter((name) => !before.has(name)),
    removed: [...before.keys()].filter((name) => !after.has(name)),
    changed: names.filter(
      (name) => before.has(name) && !isDeepStrictEqual(before.get(name), after.get(name)),
    ),
  };
}
