import { mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { findPaths, locatePaths, makeTempFolder } from '../../../../src/platform/config/config-paths.js';
import { packageVersion } from '../../../../src/platform/program/package-version.js';
import { PACKAGE_ROOT } from '../../../../src/platform/program/program-files.js';
import { tempFolder } from '../../../support/temp-folder.js';

const locate = (cwd: string, env: NodeJS.ProcessEnv = {}) => locatePaths({ cwd, env, mode: 'websocket' });

describe('the root', () => {
  test('is the nearest folder upward that has a bootstrap.ts', () => {
    const root = tempFolder({ 'bootstrap.ts': '', 'a/bootstrap.ts': '' });
    mkdirSync(path.join(root, 'a/b/c'), { recursive: true });
    mkdirSync(path.join(root, 'd'));
    expect(locate(path.join(root, 'a/b/c')).root).toBe(path.join(root, 'a'));
    expect(locate(path.join(root, 'd')).root).toBe(root);
  });

  test('is the own folder of the package where there is none', () => {
    expect(locate(tempFolder()).root).toBe(PACKAGE_ROOT);
    expect(packageVersion()).toMatch(/^\d+\.\d+\.\d+/);
  });

  test('is SPUSH_ROOT where that is set, also a relative one', () => {
    const folder = tempFolder({ 'bootstrap.ts': '', 'other/x': '' });
    expect(locate(folder, { SPUSH_ROOT: 'other' }).root).toBe(path.join(folder, 'other'));
  });
});

describe('the mode', () => {
  const findIn = (mode: string) => findPaths({ cwd: tempFolder({ 'bootstrap.ts': '' }), env: {}, mode });

  test.each(['websocket', 'night-2', 'A_b', '0', 'x'.repeat(32)])('may be %s', (mode) => {
    expect(findIn(mode).paths.pidFile).toContain(`/Temp/${mode}.pid`);
  });

  test.each([
    '',
    '-x',
    '_x',
    'a/b',
    '..',
    'a b',
    'ä',
    'x'.repeat(33),
    'night.spill',
    'websocket.2020-01-01.1',
  ])('is not %j', (mode) => {
    expect(() => findIn(mode)).toThrow(/expected 1 to 32 letters, digits, dashes or underscores/);
  });

  test('with dots, as earlier versions took it, is refused with what to do', () => {
    expect(() => findIn('night.spill')).toThrow(
      /spush server stop -mode=night\.spill\), rename Data\/night\.spill\.\* to Data\/night-spill\.\*, .* -mode=night-spill/,
    );
  });

  test('with dots is still found where it runs', () => {
    const cwd = tempFolder({ 'bootstrap.ts': '' });
    expect(locatePaths({ cwd, env: {}, mode: 'night.spill' }).socket).toBe(
      path.join(cwd, 'Temp/night.spill.sock'),
    );
    expect(() => locatePaths({ cwd, env: {}, mode: '../x' })).toThrow(/expected 1 to 32 letters/);
  });
});

describe('the home', () => {
  test('is the root, or SPUSH_HOME, and holds what spush writes', async () => {
    const folder = tempFolder({ 'bootstrap.ts': '' });
    expect(locate(folder).home).toBe(folder);
    const paths = locate(folder, { SPUSH_HOME: 'home' });
    const inHome = (name: string) => path.join(folder, 'home', name);
    expect(paths).toEqual({
      root: folder,
      home: inHome(''),
      temp: inHome('Temp'),
      log: inHome('Log'),
      data: inHome('Data'),
      pidFile: inHome('Temp/websocket.pid'),
      socket: inHome('Temp/websocket.sock'),
      logFile: inHome('Log/websocket.log'),
    });
    const apart = locate(folder, { SPUSH_HOME: 'home', SPUSH_LOG: '/var/log/spush' });
    expect(apart).toEqual({ ...paths, log: '/var/log/spush', logFile: '/var/log/spush/websocket.log' });
    await makeTempFolder(paths);
    expect(statSync(paths.temp).mode & 0o777).toBe(0o700);
  });

  test('that cannot be made is said with its path', async () => {
    const folder = tempFolder({ 'bootstrap.ts': '', file: '' });
    const paths = locate(folder, { SPUSH_HOME: 'file' });
    await expect(makeTempFolder(paths)).rejects.toMatchObject({ code: 'START_FAILED' });
  });

  test('makes a socket path of 107 bytes at most', () => {
    const folder = tempFolder({ 'bootstrap.ts': '' });
    const home = (bytes: number) => `/${'h'.repeat(bytes - '//Temp/websocket.sock'.length)}`;
    expect(Buffer.byteLength(locate(folder, { SPUSH_HOME: home(107) }).socket)).toBe(107);
    expect(() => locate(folder, { SPUSH_HOME: home(108) })).toThrow(
      /control socket 108 bytes long .* at most 107 bytes.*set SPUSH_HOME/,
    );
  });
});
