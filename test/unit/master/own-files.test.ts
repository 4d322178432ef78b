/** What the master keeps in its folders, under a clock of its own: nothing that is missing ends it. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { OwnFiles } from '../../../src/master/own-files.js';
import { pathsOf } from '../../../src/platform/config/config-paths.js';
import { dbSchema } from '../../../src/platform/config/config-schema.js';
import { Troubles } from '../../../src/platform/health/troubles.js';
import { instanceFileOf, ownIdentity, writeInstance } from '../../../src/platform/instance/instance-file.js';
import { claimMode } from '../../../src/platform/instance/mode-claim.js';
import type { Environment } from '../../../src/shared/protocol/environment.js';
import { FakeClock } from '../../support/fake-clock.js';
import { recordedLog } from '../../support/recorded-log.js';
import { tempFolder } from '../../support/temp-folder.js';

const ENVIRONMENT = (home: string): Environment => ({
  env: 0,
  envSource: 'default',
  root: home,
  home,
  program: '/opt/spush',
  store: 'the file m.db',
});

async function setUp(prepare: (home: string) => void = () => {}, store = 'elsewhere.db') {
  const home = tempFolder();
  const env = 0;
  const file = store === '' ? null : path.join(home, store);
  prepare(home);
  const paths = pathsOf({ root: home, home, mode: 'm' });
  mkdirSync(paths.temp, { recursive: true, mode: 0o700 });
  const claim = await claimMode({ home, mode: 'm' });
  const owner = ownIdentity();
  await writeInstance(paths, { owner });
  const log = recordedLog();
  const troubles = new Troubles(new FakeClock());
  const files = new OwnFiles({
    config: { paths, mode: 'm', env, db: dbSchema.parse({ file }) },
    owner,
    claim,
    environment: ENVIRONMENT(home),
    troubles,
    log,
  });
  await files.open();
  let removed = 0;
  const close = (): Promise<void> =>
    files.close(async () => {
      removed += 1;
    });
  onTestFinished(close);
  const events = (): string[] => log.lines.map(({ event }) => event);
  const names = (): string[] => troubles.report().now.map(({ name }) => name);
  return { home, paths, files, troubles, log, events, names, close, removed: () => removed };
}

test('a server that becomes ready while it looks at its files does not write one of them twice at a time', async () => {
  const { paths, files, troubles } = await setUp();
  const file = path.join(paths.data, 'm.environment.json');
  for (let i = 0; i < 20; i += 1) {
    await Promise.all([files.ready(), files.look(), files.ready()]);
    rmSync(file);
  }
  expect(troubles.report().failures).toEqual({});
});

test('of which environment the data is, is written when the server is ready, and kept', async () => {
  const { home, paths, files, names } = await setUp();
  const file = path.join(paths.data, 'm.environment.json');
  await files.look();
  expect(existsSync(file)).toBe(false);
  await files.ready();
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(ENVIRONMENT(home));
  expect(statSync(file).mode & 0o777).toBe(0o600);
  rmSync(file);
  await files.look();
  expect(existsSync(file)).toBe(true);
  rmSync(file);
  mkdirSync(path.join(file, 'in the way'), { recursive: true });
  await files.look();
  expect(names()).toEqual(['environmentRecord']);
  rmSync(file, { recursive: true });
  await files.look();
  expect(names()).toEqual([]);
  expect(existsSync(file)).toBe(true);
});

test('folders and files that somebody removes are made again, for the owner alone', async () => {
  const { paths, files, events, names } = await setUp();
  for (const folder of [paths.temp, paths.log, paths.data]) rmSync(folder, { recursive: true });
  await files.look();
  expect([paths.temp, paths.log, paths.data].map((folder) => statSync(folder).mode & 0o777)).toEqual([
    0o700, 0o750, 0o700,
  ]);
  expect(readFileSync(paths.pidFile, 'utf8')).toBe(`${process.pid}\n`);
  expect(existsSync(instanceFileOf(paths))).toBe(true);
  expect(events()).toEqual([
    'folder.madeAgain',
    'folder.madeAgain',
    'folder.madeAgain',
    'instance.madeAgain',
  ]);
  expect(names()).toEqual([]);
});

test('a folder that is gone with the store is not made anew, so that it can be put back', async () => {
  const { paths, files, names, troubles } = await setUp(() => {}, '');
  renameSync(paths.data, `${paths.data}.moved`);
  await files.look();
  expect(existsSync(paths.data)).toBe(false);
  expect(troubles.report().now[0]?.text).toContain(
    `${paths.data}: it is gone, and the store with it: put it back`,
  );
  renameSync(`${paths.data}.moved`, paths.data);
  await files.look();
  expect(names()).toEqual([]);
});

test('pipes in the place of its files keep nobody waiting', async () => {
  const { paths, files, names } = await setUp();
  for (const file of [paths.pidFile, instanceFileOf(paths)]) {
    rmSync(file);
    execFileSync('mkfifo', [file]);
  }
  await files.look();
  expect(names()).toEqual([]);
  expect(readFileSync(paths.pidFile, 'utf8')).toBe(`${process.pid}\n`);
});

test('what cannot be made is a trouble until it can', async () => {
  const { paths, files, names } = await setUp();
  for (const folder of [paths.temp, paths.data]) {
    rmSync(folder, { recursive: true });
    writeFileSync(folder, '');
  }
  await files.look();
  expect(names()).toEqual(['folders', 'instanceFiles']);
  for (const folder of [paths.temp, paths.data]) rmSync(folder);
  await files.look();
  expect(names()).toEqual([]);
});

test('what others can read is tightened at the start, folders also later', async () => {
  const { home, paths, files, log } = await setUp((folder) => {
    mkdirSync(path.join(folder, 'Data'));
    mkdirSync(path.join(folder, 'Log'));
    for (const name of [
      'Data/m.db',
      'Data/m.db-wal',
      'Data/n.db',
      'Log/m.2026-01-01.1.log',
      'elsewhere.db',
    ]) {
      writeFileSync(path.join(folder, name), '');
      chmodSync(path.join(folder, name), 0o666);
    }
    for (const name of ['Data', 'Log']) chmodSync(path.join(folder, name), 0o777);
  });
  const modeOf = (name: string): number => statSync(path.join(home, name)).mode & 0o777;
  expect(modeOf('Data')).toBe(0o700);
  expect(modeOf('Log')).toBe(0o750);
  expect(['Data/m.db', 'Data/m.db-wal', 'elsewhere.db'].map(modeOf)).toEqual([0o600, 0o600, 0o600]);
  expect(modeOf('Log/m.2026-01-01.1.log')).toBe(0o640);
  expect(modeOf('Data/n.db')).toBe(0o666);
  const told = log.lines.filter(({ event }) => event === 'files.tightened');
  expect(told.map(({ fields }) => fields['path'])).toContain(path.join(home, 'Data/m.db'));
  chmodSync(paths.data, 0o755);
  await files.look();
  expect(modeOf('Data')).toBe(0o700);
});

test('its files are removed at the end, once nothing is made any more', async () => {
  const { paths, close, removed } = await setUp();
  await close();
  expect(removed()).toBe(1);
  const again = await claimMode({ home: paths.home, mode: 'm' });
  expect(again.state).toBe('ours');
  if (again.state === 'ours') again.release();
});

test('a home that cannot be looked at is a trouble and no more', async () => {
  const { home, files, names } = await setUp();
  const away = `${home}.away`;
  renameSync(home, away);
  // ELOOP.
  symlinkSync(home, home);
  await files.look();
  expect(names()).toContain('modeClaim');
  rmSync(home);
  renameSync(away, home);
  await files.look();
  expect(names()).toEqual([]);
});
