import { expect, test } from 'vitest';
import { ProgramVersions } from '../../../../src/master/status/program-versions.js';
import { Troubles } from '../../../../src/platform/health/troubles.js';
import type { Moment } from '../../../../src/shared/base/clock.js';

interface KnownChild {
  name: string;
  version: string | null;
  readySince: Moment | null;
}

function setUp(...children: KnownChild[]) {
  const troubles = new Troubles({ now: () => 0 });
  const versions = new ProgramVersions({ mode: 'm', version: '1.0.0', children: () => children, troubles });
  return { children, versions, warnings: () => troubles.report().now.map(({ text }) => text) };
}
const ready = 1 as unknown as Moment;
const child = (name: string, version: string | null): KnownChild => ({
  name: `spush.m.${name}`,
  version,
  readySince: ready,
});

test('all of one version are no trouble', () => {
  const { versions, warnings } = setUp(child('Worker.0', '1.0.0'), {
    ...child('Worker.1', null),
    readySince: null,
  });
  versions.look();
  expect(versions.list()).toEqual([{ version: '1.0.0', processes: ['Master', 'Worker.0'] }]);
  expect(warnings()).toEqual([]);
});

test('different ones are named with their processes, as long as they differ', () => {
  const { children, versions, warnings } = setUp(child('Worker.0', '1.0.0'), child('TaskWorker.0', null));
  versions.look();
  expect(warnings()).toEqual([
    expect.stringContaining('(1.0.0: Master, Worker.0; unknown: TaskWorker.0); spush server restart'),
  ]);
  children.splice(0, 2, child('Worker.0', '1.1.0'), child('Worker.0', '1.1.0'));
  versions.look();
  expect(versions.list()).toEqual([
    { version: '1.0.0', processes: ['Master'] },
    { version: '1.1.0', processes: ['Worker.0'] },
  ]);
  expect(warnings()).toEqual([expect.stringContaining('(1.0.0: Master; 1.1.0: Worker.0)')]);
  children.splice(0);
  versions.look();
  expect(warnings()).toEqual([]);
});
