import { expect, test } from 'vitest';
import { differenceOf } from '../../../src/cli/config-differences.js';
import type { ConfigRow } from '../../../src/platform/config/describe-config.js';
import type { RunningKey } from '../../../src/shared/protocol/control-commands.js';

const HERE: ConfigRow = {
  file: 'system',
  key: 'Port',
  value: 1,
  source: 'default',
  apply: 'restart',
  unit: null,
};
const RUNNING: RunningKey = {
  key: 'Port',
  value: 1,
  source: 'default',
  from: 'default',
  apply: 'restart',
  same: true,
  next: null,
  inFiles: null,
};
const file = (value: unknown) => ({ value, source: '/r/conf/SystemConf.ts', from: 'file' }) as const;
const set = { value: 2, same: false, inFiles: { value: 1, source: 'default', from: 'default' } } as const;

test.each([
  ['the same', {}, {}, null],
  [
    'set while it runs',
    { ...set, from: 'configSet', next: { value: 1, source: 'default', from: 'default' } },
    {},
    {
      why: 'configSet',
      needs: null,
      text: '2, set with "spush config set"; a reload goes back to 1',
    },
  ],
  ['set while it runs, to what the files say', { from: 'configSet', source: 'config set' }, {}, null],
  [
    'set while it runs, with files that cannot be read',
    { ...set, from: 'configSet' },
    {},
    {
      why: 'configSet',
      needs: null,
      text: '2, set with "spush config set"; the files say 1',
    },
  ],
  [
    'a variable of its start',
    { ...set, from: 'environment', source: 'SPUSH_PORT' },
    {},
    {
      why: 'environment',
      needs: null,
      text: '2, as SPUSH_PORT was set where it was started; the files say 1',
    },
  ],
  [
    'a variable of its start that this shell has with another value',
    { value: 2, same: false, from: 'environment', source: 'SPUSH_PORT' },
    {},
    {
      why: 'environment',
      needs: null,
      text: '2, as SPUSH_PORT was set where it was started; this shell has 1',
    },
  ],
  [
    'a variable of its start that this shell has too',
    { ...set, same: true, from: 'environment', source: 'SPUSH_PORT' },
    { value: 2, source: 'SPUSH_PORT' },
    null,
  ],
  [
    'a variable of its start, and the same value out of a file here',
    { ...set, same: true, from: 'environment', source: 'SPUSH_PORT' },
    { value: 2, source: '/r/conf/SystemConf.ts' },
    {
      why: 'environment',
      needs: null,
      text: '2, as SPUSH_PORT was set where it was started; the files say 1',
    },
  ],
  [
    'its command line',
    { ...set, from: 'commandLine', source: 'command line' },
    {},
    {
      why: 'commandLine',
      needs: null,
      text: '2, by the command line of its start; the files say 1',
    },
  ],
  [
    'an edit that needs a reload',
    { apply: 'live', next: file(3), inFiles: file(3), same: false },
    { value: 3 },
    {
      why: 'file',
      needs: 'reload',
      text: '1, but conf/SystemConf.ts now says 3: needs spush server reload',
    },
  ],
  [
    'an edit that needs a restart, under a variable of this shell',
    { next: file(3), inFiles: file(3) },
    { source: 'SPUSH_PORT' },
    {
      why: 'file',
      needs: 'restart',
      text: '1, but conf/SystemConf.ts now says 3: needs spush server restart',
    },
  ],
  [
    'a key taken out of its file',
    { from: 'file', source: '/r/conf/SystemConf.ts', next: { value: 9, source: 'default', from: 'default' } },
    {},
    {
      why: 'file',
      needs: 'restart',
      text: '1, but no file says it any more, and the default is 9: needs spush server restart',
    },
  ],
  [
    'a variable of this shell alone',
    { same: false },
    { value: 3, source: 'SPUSH_PORT' },
    {
      why: 'shell',
      needs: null,
      text: '1, but SPUSH_PORT of this shell says 3',
    },
  ],
  [
    'another default here',
    { same: false },
    { value: 3 },
    {
      why: 'other',
      needs: null,
      text: '1, but this shell reads 3 (default)',
    },
  ],
  [
    'two secrets',
    { value: '***', same: false, from: 'environment', source: 'SPUSH_X' },
    { value: '***' },
    {
      why: 'environment',
      needs: null,
      text: '***, as SPUSH_X was set where it was started; this shell has another value',
    },
  ],
  [
    'a faulty shell',
    { ...set, same: null, from: 'environment', source: 'SPUSH_PORT' },
    null,
    {
      why: 'environment',
      needs: null,
      text: '2, as SPUSH_PORT was set where it was started; the files say 1',
    },
  ],
] as const)('%s', (_what, running, here, expected) => {
  const row = here === null ? null : { ...HERE, ...here };
  const found = differenceOf({ ...RUNNING, ...running } as RunningKey, row, '/r');
  expect(found).toEqual(expected === null ? null : { key: 'Port', ...expected });
});
