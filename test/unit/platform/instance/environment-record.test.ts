/** The file beside the data that says of which environment it is: whatever is there, nobody is kept from starting by it. */
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '../../../../src/platform/config/load-config.js';
import {
  environmentOf,
  environmentRecordFile,
  keepEnvironmentRecord,
  readEnvironmentRecord,
} from '../../../../src/platform/instance/environment-record.js';
import { PACKAGE_ROOT } from '../../../../src/platform/program/program-files.js';
import type { Environment } from '../../../../src/shared/protocol/environment.js';
import { tempFolder } from '../../../support/temp-folder.js';

const ENVIRONMENT: Environment = {
  env: 1,
  envSource: 'PUSHENV',
  root: '/srv/spush',
  home: '/var/lib/spush',
  program: '/opt/spush',
  store: 'the database spush_t at db1:3306',
};
const file = (): string => environmentRecordFile({ data: tempFolder() }, 'm');

test('it is named after the mode, and says what was written', async () => {
  const record = file();
  expect(path.basename(record)).toBe('m.environment.json');
  expect(await readEnvironmentRecord(record)).toEqual({ state: 'none' });
  expect(await keepEnvironmentRecord(record, ENVIRONMENT)).toBe(true);
  expect(await readEnvironmentRecord(record)).toEqual({ state: 'known', environment: ENVIRONMENT });
});

test('it is written again only when it says something else', async () => {
  const record = file();
  await keepEnvironmentRecord(record, ENVIRONMENT);
  const { ino } = statSync(record);
  expect(await keepEnvironmentRecord(record, ENVIRONMENT)).toBe(false);
  expect(statSync(record).ino).toBe(ino);
  expect(await keepEnvironmentRecord(record, { ...ENVIRONMENT, env: 2 })).toBe(true);
  expect(JSON.parse(readFileSync(record, 'utf8'))).toMatchObject({ env: 2 });
});

test.each([
  ['empty', '', /it is empty/],
  ['full of zeros', '\0\0\0', /nothing but zero bytes/],
  ['cut off', '{"env":1,', /cut off or garbled/],
  ['of no environment', '{"env":3,"envSource":"x","root":"/","home":"/","store":""}', /cut off or garbled/],
])('one that is %s says nothing, and is replaced', async (_what, text, reason) => {
  const record = file();
  writeFileSync(record, text);
  expect(await readEnvironmentRecord(record)).toEqual({
    state: 'unknown',
    reason: expect.stringMatching(reason),
  });
  expect(await keepEnvironmentRecord(record, ENVIRONMENT)).toBe(true);
  expect(await readEnvironmentRecord(record)).toMatchObject({ state: 'known' });
});

test('a pipe, or a link that leads in a circle, keeps nobody waiting', async () => {
  const pipe = file();
  execFileSync('mkfifo', [pipe]);
  expect(await readEnvironmentRecord(pipe)).toMatchObject({
    state: 'unknown',
    reason: expect.stringMatching(/no plain file/),
  });
  const circle = file();
  symlinkSync(circle, circle);
  expect(await readEnvironmentRecord(circle)).toMatchObject({
    state: 'unknown',
    reason: expect.stringMatching(/ELOOP/),
  });
  expect(await keepEnvironmentRecord(circle, ENVIRONMENT)).toBe(true);
  expect(await readEnvironmentRecord(circle)).toMatchObject({ state: 'known' });
});

test('it says who said PUSHENV, and where messages are kept', async () => {
  const load = (text: string, env: NodeJS.ProcessEnv = {}) =>
    loadConfig({ cwd: tempFolder({ 'bootstrap.ts': text }), mode: 'm', env });
  const loaded = await load('export const PUSHENV = 0;');
  const { config } = loaded;
  const { root } = config.paths;
  expect(environmentOf(loaded)).toEqual({
    env: 0,
    envSource: `${root}/bootstrap.ts`,
    root,
    home: root,
    program: PACKAGE_ROOT,
    store: `the file ${root}/Data/m.db`,
  });
  const byVariable = await load('export const PUSHENV = 1;', { PUSHENV: '0' });
  expect(environmentOf(byVariable).envSource).toBe('PUSHENV');
  // A file that is there need not say it.
  expect(environmentOf(await load('export const tasks = [];')).envSource).toBe('default');
  const db = { ...config.db, host: 'db1', database: 'spush_t' };
  const ofServer = { ...loaded, config: { ...config, env: 1 as const, db } };
  expect(environmentOf(ofServer).store).toBe('the database spush_t at db1:3306');
});
