import { expect, test } from 'vitest';
import { checkHooks } from '../../../../src/platform/config/bootstrap-hooks.js';
import { hasHookChanges, hookChanges, hooksDigest } from '../../../../src/platform/config/hook-changes.js';

function hooks(exports: Readonly<Record<string, unknown>>) {
  const { hooks: found, faults } = checkHooks('bootstrap.ts', exports, null);
  expect(faults).toEqual([]);
  return found;
}
const UNCHANGED = { added: [], removed: [], changed: [] };
const report = { name: 'report', run: (): number => 1 };
const nightly = { name: 'Nightly', rule: '0 3 * * *', task: 'report', args: { day: 1 } };
const hourly = { name: 'Hourly', rule: '@hourly', run: (): number => 1 };
const BEFORE = { tasks: [report], jobs: [nightly, hourly] };

test('the same that were read again have not changed', () => {
  const again = {
    tasks: [{ name: 'report', run: (): number => 1 }],
    jobs: [
      { ...nightly, args: { day: 1 } },
      { ...hourly, run: (): number => 1 },
    ],
  };
  const changes = hookChanges(hooks(BEFORE), hooks(again));
  expect(changes).toEqual({ jobs: UNCHANGED, tasks: UNCHANGED });
  expect(hasHookChanges(changes)).toBe(false);
  expect(hooksDigest(hooks(again))).toBe(hooksDigest(hooks(BEFORE)));
});

test.each([
  [
    'a rule',
    { jobs: [{ ...nightly, rule: '0 4 * * *' }, hourly] },
    { jobs: { ...UNCHANGED, changed: ['Nightly'] } },
  ],
  [
    'arguments',
    { jobs: [{ ...nightly, args: { day: 2 } }, hourly] },
    { jobs: { ...UNCHANGED, changed: ['Nightly'] } },
  ],
  [
    'the function of a job',
    { jobs: [nightly, { ...hourly, run: (): number => 2 }] },
    { jobs: { ...UNCHANGED, changed: ['Hourly'] } },
  ],
  [
    'the function of a task',
    { tasks: [{ ...report, run: (): number => 2 }] },
    { tasks: { ...UNCHANGED, changed: ['report'] } },
  ],
  ['a job less', { jobs: [nightly] }, { jobs: { ...UNCHANGED, removed: ['Hourly'] } }],
  [
    'a job and a task more',
    {
      tasks: [report, { name: 'other', run: (): number => 1 }],
      jobs: [nightly, hourly, { ...nightly, name: 'More', task: 'other' }],
    },
    { jobs: { ...UNCHANGED, added: ['More'] }, tasks: { ...UNCHANGED, added: ['other'] } },
  ],
])('%s', (_what, after, expected) => {
  const changes = hookChanges(hooks(BEFORE), hooks({ ...BEFORE, ...after }));
  expect(changes).toEqual({ jobs: UNCHANGED, tasks: UNCHANGED, ...expected });
  expect(hasHookChanges(changes)).toBe(true);
  expect(hooksDigest(hooks({ ...BEFORE, ...after }))).not.toBe(hooksDigest(hooks(BEFORE)));
});

test('the digest does not depend on the order in which jobs, and the keys of their arguments, are written', () => {
  const more = (args: object) => ({ name: 'More', rule: '@daily', task: 'report', args });
  const [one, other] = [more({ a: 1, b: 2 }), more({ b: 2, a: 1 })];
  const digestOf = (...jobs: object[]) => hooksDigest(hooks({ tasks: [report], jobs }));
  expect(digestOf(nightly, one)).toBe(digestOf(other, nightly));
  const turned = { tasks: [report], jobs: [hourly, nightly] };
  expect(hooksDigest(hooks(turned))).toBe(hooksDigest(hooks(BEFORE)));
});
