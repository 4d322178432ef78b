import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkHooks } from '../../../../src/platform/config/bootstrap-hooks.js';
import { faultText } from '../../../../src/platform/config/config-fault.js';
import { BUILT_IN_TASKS } from '../../../../src/shared/domain/built-in-tasks.js';
import { faultsOf, load } from './loading.js';

const run = () => 1;
const CIRCLE: Record<string, unknown> = {};
CIRCLE['self'] = CIRCLE;
const check = (exports: Record<string, unknown>) => {
  const { hooks, faults } = checkHooks('/b.ts', exports, 'UTC');
  return { hooks, texts: faults.map(faultText) };
};

describe('checkHooks', () => {
  it('has nothing to say of a file without jobs and tasks', () => {
    expect(check({ PUSHENV: 0, other: 1 })).toEqual({ hooks: { jobs: [], tasks: [] }, texts: [] });
  });

  it('gives a job its task: its own run under its own name, or one that it names', () => {
    const { hooks, texts } = check({
      tasks: [{ name: 'own', run }],
      jobs: [
        { name: 'A', rule: '@daily', task: 'own', args: { days: 1 } },
        { name: 'B', rule: ' */5  * * * *', run },
        { name: 'C', rule: '1 * * * *', task: 'sweep', args: { kind: 'comment' } },
      ],
    });
    expect(texts).toEqual([]);
    expect(hooks.jobs).toEqual([
      { name: 'A', rule: '0 0 * * *', task: 'own', args: { days: 1 } },
      { name: 'B', rule: '*/5 * * * *', task: 'B', args: {} },
      { name: 'C', rule: '1 * * * *', task: 'sweep', args: { kind: 'comment' } },
    ]);
    expect(hooks.tasks.map(({ name }) => name)).toEqual(['own', 'B']);
  });

  it('takes them from a default export too', () => {
    expect(check({ default: { tasks: [{ name: 'own', run }] } }).hooks.tasks).toHaveLength(1);
  });

  it.each<[string, Record<string, unknown>, string]>([
    [
      'arguments that hold themselves',
      { jobs: [{ name: 'a', rule: '@daily', run, args: CIRCLE }] },
      'jobs[0].args is <ref *1> { self: [Circular *1] }; expected plain data, as JSON takes it',
    ],
    [
      'a number that JSON has not',
      { jobs: [{ name: 'a', rule: '@daily', run, args: { a: 10n } }] },
      'jobs[0].args is { a: 10n }; expected plain data, as JSON takes it',
    ],
    ['a list that is none', { jobs: {} }, '/b.ts: jobs is {}; expected a list of at most 1000 entries'],
    ['an entry that is no object', { tasks: [7] }, '/b.ts: tasks[0] is 7; expected an object'],
    ['a missing name', { tasks: [{ run }] }, '/b.ts: tasks[0].name is missing; expected a letter'],
    ['a name with spaces', { tasks: [{ name: 'a b', run }] }, 'tasks[0].name is "a b"; expected a letter'],
    [
      'a run that is no function',
      { tasks: [{ name: 'a', run: 'x' }] },
      'tasks[0].run is "x"; expected a function',
    ],
    ['a part that is not known', { tasks: [{ name: 'a', run, when: 1 }] }, 'a part that is not known: when'],
    [
      'a rule that is no text',
      { jobs: [{ name: 'a', rule: 5, run }] },
      'jobs[0].rule is 5; expected text of five',
    ],
    [
      'a rule that is wrong',
      { jobs: [{ name: 'a', rule: '0 0 31 2 *', run }] },
      'jobs[0].rule is "0 0 31 2 *"; it never',
    ],
    ['six fields', { jobs: [{ name: 'a', rule: '* * * * * *', run }] }, 'it has six fields'],
    [
      'neither task nor run',
      { jobs: [{ name: 'a', rule: '@daily' }] },
      'jobs[0] has neither a task nor a run',
    ],
    [
      'a task and a run',
      { jobs: [{ name: 'a', rule: '@daily', run, task: 'prune' }] },
      'has a task and a run of its own',
    ],
    [
      'an unknown task',
      { jobs: [{ name: 'a', rule: '@daily', task: 'prun' }] },
      'no task. Did you mean prune?',
    ],
    [
      'args that cannot travel',
      { jobs: [{ name: 'a', rule: '@daily', task: 'prune', args: run }] },
      'jobs[0].args',
    ],
    [
      'the name of a built-in job',
      { jobs: [{ name: 'PushCommentMsg', rule: '@daily', run }] },
      'as is the job one of spush',
    ],
    [
      'the name of a built-in task',
      { tasks: [{ name: 'sweep', run }] },
      'as is the task one of spush itself',
    ],
    [
      'a run under the name of a built-in task',
      { jobs: [{ name: 'prune', rule: '@daily', run }] },
      'as is the task',
    ],
    [
      'two tasks of one name',
      {
        tasks: [
          { name: 'a', run },
          { name: 'a', run },
        ],
      },
      'tasks[1].name is "a", as is the task tasks[0]',
    ],
    ['a near miss of the list', { Jobs: [] }, 'Jobs is not known. Did you mean jobs?'],
    ['a list in the singular', { task: [] }, 'task is not known. Did you mean tasks?'],
  ])('refuses %s', (_what, exports, text) => {
    expect(check(exports).texts.join('\n')).toContain(text);
  });

  it('tells every fault at once', () => {
    const { texts } = check({
      jobs: [
        { name: 'a', rule: 'x' },
        { name: 'a', rule: '@daily', task: 'none' },
      ],
    });
    expect(texts).toHaveLength(4);
  });

  it('keeps every built-in task from being replaced', () => {
    for (const name of BUILT_IN_TASKS) expect(check({ tasks: [{ name, run }] }).texts).toHaveLength(1);
  });
});

const TEXT = `
export const PUSHENV = 0;
export const tasks: unknown[] = [{ name: 'double', run: async ({ n }: { n: number }) => n * 2 }];
export const jobs = [{ name: 'Own', rule: '@hourly', task: 'double', args: { n: 4 } }];
`;

describe('loadConfig', () => {
  it('accepts right hooks and refuses wrong ones with the file and the place', async () => {
    expect((await load({ files: { 'bootstrap.ts': TEXT } })).config.env).toBe(0);
    const faults = await faultsOf({
      files: { 'bootstrap.ts': TEXT.replace("'double', args", "'duoble', args") },
    });
    expect(faults).toMatchObject([
      { key: 'jobs[0].task', problem: expect.stringContaining('Did you mean double?') },
    ]);
    expect(faults[0]?.where.endsWith(join('/', 'bootstrap.ts'))).toBe(true);
  });
});
