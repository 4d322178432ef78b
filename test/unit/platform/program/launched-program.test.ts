/** Which build a child is started from, with real links that are moved. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { LaunchedProgram } from '../../../../src/platform/program/launched-program.js';
import { programOf } from '../../../../src/platform/program/program-files.js';
import { tempFolder } from '../../../support/temp-folder.js';

let folder: string;
let launchPath: string;

/** releases/1 and releases/2 with a build each, `current` → 1, and a link to the executable. */
beforeEach(() => {
  folder = tempFolder();
  for (const release of ['1', '2']) {
    const root = path.join(folder, 'releases', release);
    mkdirSync(path.join(root, 'bin'), { recursive: true });
    writeFileSync(path.join(root, 'bin/spush.js'), '');
    addBuild(release, `first-of-${release}`);
  }
  moveLink('current', 'releases/1');
  launchPath = path.join(folder, 'spush');
  symlinkSync('current/bin/spush.js', launchPath);
});

function addBuild(release: string, build: string): void {
  const dist = path.join(folder, 'releases', release, 'dist');
  mkdirSync(path.join(dist, build), { recursive: true });
  writeFileSync(path.join(dist, build, 'main.js'), '');
  writeFileSync(path.join(dist, 'current'), `${build}\n`);
}

function moveLink(link: string, to: string): void {
  rmSync(path.join(folder, link), { force: true });
  symlinkSync(to, path.join(folder, link));
}

const built = (release: string, build: string): string =>
  path.join(folder, 'releases', release, 'dist', build, 'main.js');

function launched(): LaunchedProgram {
  return new LaunchedProgram(launchPath, programOf(launchPath));
}

test('a build that comes later is run after a reload only', () => {
  const program = launched();
  addBuild('1', 'second');
  expect(program.mainFileToStart()).toBe(built('1', 'first-of-1'));
  expect(program.renew().changedTo).toBe(path.dirname(built('1', 'second')));
  expect(program.mainFileToStart()).toBe(built('1', 'second'));
  expect(program.renew().changedTo).toBe(null);
});

test('a link that was moved to another release is followed by a reload, and undone with it', () => {
  const program = launched();
  moveLink('current', 'releases/2');
  const renewed = program.renew();
  expect(renewed.changedTo).toBe(path.dirname(built('2', 'first-of-2')));
  expect(program.mainFileToStart()).toBe(built('2', 'first-of-2'));
  renewed.undo();
  expect(program.mainFileToStart()).toBe(built('1', 'first-of-1'));
});

test('a build that was removed is replaced by the newest one', () => {
  const program = launched();
  addBuild('1', 'second');
  rmSync(path.dirname(built('1', 'first-of-1')), { recursive: true });
  expect(program.mainFileToStart()).toBe(built('1', 'second'));
});

test('the executable may be called without its ending, as Node takes it so', () => {
  launchPath = path.join(folder, 'current/bin/spush');
  const program = launched();
  addBuild('1', 'second');
  expect(program.renew().changedTo).toBe(path.dirname(built('1', 'second')));
});

test('the builds from which processes and threads are started are in use, and no others', () => {
  const open = () =>
    readdirSync('/proc/self/fd')
      .map((fd) => `/proc/self/fd/${fd}`)
      // The one by which this list was read is closed.
      .filter((fd) => existsSync(fd))
      .map((fd) => readlinkSync(fd))
      .filter((file) => file.startsWith(folder))
      .map((file) => path.basename(file));
  const program = launched();
  expect(open()).toEqual(['first-of-1']);
  addBuild('1', 'second');
  program.renew();
  expect(open().sort()).toEqual(['first-of-1', 'second']);
  addBuild('1', 'third');
  program.renew().undo();
  expect(open().sort()).toEqual(['first-of-1', 'second']);
});

test('a path that leads to no program is said, and the build stays', () => {
  const program = launched();
  rmSync(path.join(folder, 'current'));
  expect(() => program.renew()).toThrow(`no built program is found at ${launchPath}`);
  expect(program.mainFileToStart()).toBe(built('1', 'first-of-1'));
});
