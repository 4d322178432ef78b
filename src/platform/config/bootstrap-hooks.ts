/**
 * The jobs and tasks that an operator adds in bootstrap.ts, checked. Functions cannot travel between processes, so the
 * CrontabScheduler and the TaskWorkers each read the file themselves; whoever loads the configuration checks them too,
 * so that `spush config check` tells of their faults and no server starts with them.
 */
import * as z from 'zod';
import { nearestOf } from '../../shared/base/nearest.js';
import { BUILT_IN_TASKS } from '../../shared/domain/built-in-tasks.js';
import { SWEEP_JOBS } from '../../shared/domain/kind.js';
import { checkRule } from '../cron/rule.js';
import type { Log } from '../log/log.js';
import { type ConfigFault, jsonText, valueText } from './config-fault.js';
import { isRecord } from './config-file.js';

export interface HookContext {
  /** Raised at the deadline, and when the process has to end: stop then. */
  readonly signal: AbortSignal;
  readonly log: Log;
}

/** What it answers, or what its promise becomes, goes to the caller as JSON. */
export type HookRun = (args: unknown, context: HookContext) => unknown;

export interface OwnTask {
  readonly name: string;
  readonly run: HookRun;
}

export interface OwnJob {
  readonly name: string;
  /** Five fields. */
  readonly rule: string;
  /** Runs as this task, in a TaskWorker: an own or a built-in one, or one of the job's name for its own `run`. */
  readonly task: string;
  readonly args: unknown;
}

export interface Hooks {
  readonly jobs: readonly OwnJob[];
  /** Tasks, and the `run` of jobs that bring their own. */
  readonly tasks: readonly OwnTask[];
}

/** More are a mistake, such as a list made by a loop. */
export const HOOKS_MAX = 1000;
const NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

const NAME_EXPECTED = 'a letter, then letters, digits, dots, dashes or underscores, at most 64';
const ARGS_EXPECTED = 'plain data, as JSON takes it';
const name = z.string(NAME_EXPECTED).regex(NAME, NAME_EXPECTED);
const run = z.custom<HookRun>((value) => typeof value === 'function', 'a function (args, { signal, log })');
const taskSchema = z.strictObject({ name, run });
const jobSchema = z.strictObject({
  name,
  rule: z.string('text of five fields, e.g. "0 3 * * *"'),
  task: z.string('the name of a task').optional(),
  args: z
    .custom((value) => jsonText(value) !== undefined, ARGS_EXPECTED)
    .pipe(z.json(ARGS_EXPECTED))
    .optional(),
  run: run.optional(),
});
type JobEntry = z.output<typeof jobSchema>;

const LISTS = ['jobs', 'tasks'] as const;

/** @param exports those of bootstrap.ts, or what is in its default export. */
export function checkHooks(
  file: string,
  exports: Readonly<Record<string, unknown>>,
  timeZone: string | null,
): { hooks: Hooks; faults: readonly ConfigFault[] } {
  const whole = exports['default'];
  const all = isRecord(whole) ? { ...whole, ...exports } : exports;
  const faults: ConfigFault[] = nearMisses(file, Object.keys(all));
  const fault = (key: string, problem: string, expected: string | null): void => {
    faults.push({ where: file, key, problem, expected });
  };
  const tasks = entries(all['tasks'], 'tasks', taskSchema, fault);
  const jobs = entries(all['jobs'], 'jobs', jobSchema, fault);

  const ownRuns = jobs.flatMap(({ key, entry }) =>
    entry.run ? [{ key, entry: { name: entry.name, run: entry.run } }] : [],
  );
  refuseTaken([...tasks, ...ownRuns], BUILT_IN_TASKS, 'task', fault);
  refuseTaken(jobs, Object.keys(SWEEP_JOBS), 'job', fault);
  const taskNames = [...BUILT_IN_TASKS, ...tasks.map(({ entry }) => entry.name)];
  const ownJobs = jobs.map(({ key, entry }) => toJob(entry, key, { timeZone, taskNames, fault }));
  return { hooks: { jobs: ownJobs, tasks: [...tasks, ...ownRuns].map(({ entry }) => entry) }, faults };
}

type AddFault = (key: string, problem: string, expected: string | null) => void;

interface Entry<T> {
  /** `jobs[0]` */
  readonly key: string;
  readonly entry: T;
}

function entries<S extends z.ZodType>(value: unknown, list: string, schema: S, fault: AddFault) {
  const found: Entry<z.output<S>>[] = [];
  if (value === undefined) return found;
  if (!Array.isArray(value) || value.length > HOOKS_MAX) {
    const problem = Array.isArray(value) ? `has ${value.length} entries` : `is ${valueText(value)}`;
    fault(list, problem, `a list of at most ${HOOKS_MAX} entries`);
    return found;
  }
  for (const [i, item] of value.entries()) {
    const key = `${list}[${i}]`;
    const parsed = schema.safeParse(item);
    if (parsed.success) found.push({ key, entry: parsed.data });
    else for (const issue of parsed.error.issues) addIssue(key, item, issue, fault);
  }
  return found;
}

function addIssue(key: string, item: unknown, issue: z.core.$ZodIssue, fault: AddFault): void {
  if (issue.code === 'unrecognized_keys') {
    fault(key, `has a part that is not known: ${issue.keys.join(', ')}`, null);
    return;
  }
  const [part] = issue.path;
  if (part === undefined) {
    fault(key, `is ${valueText(item)}`, 'an object { name, … }');
    return;
  }
  const value = isRecord(item) ? item[String(part)] : undefined;
  fault(
    `${key}.${String(part)}`,
    value === undefined ? 'is missing' : `is ${valueText(value)}`,
    issue.message,
  );
}

function refuseTaken(
  list: readonly Entry<{ readonly name: string }>[],
  builtIn: readonly string[],
  what: string,
  fault: AddFault,
): void {
  const taken = new Map(builtIn.map((name) => [name, 'one of spush itself']));
  for (const { key, entry } of list) {
    const by = taken.get(entry.name);
    if (by === undefined) taken.set(entry.name, key);
    else fault(`${key}.name`, `is "${entry.name}", as is the ${what} ${by}`, 'a name that is not in use');
  }
}

interface JobChecks {
  readonly timeZone: string | null;
  readonly taskNames: readonly string[];
  readonly fault: AddFault;
}

function toJob(entry: JobEntry, key: string, { timeZone, taskNames, fault }: JobChecks): OwnJob {
  const rule = checkRule(entry.rule, timeZone);
  if (!rule.ok) fault(`${key}.rule`, `is "${entry.rule}"; ${rule.reason}`, null);
  const { task, run } = entry;
  if ((task === undefined) === (run === undefined)) {
    const problem = run ? 'has a task and a run of its own' : 'has neither a task nor a run';
    fault(key, problem, 'one of them: task (a name) or run (a function)');
  } else if (task !== undefined && !taskNames.includes(task)) {
    fault(`${key}.task`, `is "${task}", which is no task.${nearestOf(task, taskNames, 'tasks')}`, null);
  }
  return {
    name: entry.name,
    rule: rule.ok ? rule.rule : entry.rule,
    task: task ?? entry.name,
    args: entry.args ?? {},
  };
}

/** Operators may export what they like beside these; a near miss would silently mean none. */
function nearMisses(file: string, names: readonly string[]): ConfigFault[] {
  return names.flatMap((exported) => {
    const meant = LISTS.find(
      (list) => exported !== list && `${exported.toLowerCase().replace(/s$/, '')}s` === list,
    );
    if (meant === undefined) return [];
    return [{ where: file, key: exported, problem: `is not known. Did you mean ${meant}?`, expected: null }];
  });
}
