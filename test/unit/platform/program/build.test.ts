/** build.mjs with small sources: what it leaves in dist/, whatever was there and however it ended. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { tempFolder } from '../../../support/temp-folder.js';

const ROOT = path.resolve(import.meta.dirname, '../../../..');
const SOURCES = [
  'src/platform/store/libsql/thread/store-thread.ts',
  'src/task/watchdog-thread.ts',
  'src/platform/config/read-again-thread.ts',
];

let folder: string;

beforeEach(() => {
  const files = Object.fromEntries(SOURCES.map((file) => [file, `export const file = '${file}';`]));
  folder = tempFolder({ ...files, 'package.json': '{"bin":{"spush":"bin/spush.js"},"type":"module"}' });
  cpSync(path.join(ROOT, 'build.mjs'), path.join(folder, 'build.mjs'));
  mkdirSync(path.join(folder, 'node_modules'));
  for (const name of ['esbuild', '@esbuild']) {
    symlinkSync(path.join(ROOT, 'node_modules', name), path.join(folder, 'node_modules', name));
  }
  write(1);
});

const inDist = (...parts: string[]): string => path.join(folder, 'dist', ...parts);
const write = (version: number): void =>
  writeFileSync(path.join(folder, 'src/main.ts'), `console.log(${version});`);
const current = (): string => readFileSync(inDist('current'), 'utf8').trim();
const builds = (): string[] => readdirSync(inDist()).filter((name) => name !== 'current');

interface Result {
  readonly exitCode: number;
  readonly output: string;
}

function run(program: string, words: string[]): Promise<Result> {
  return new Promise((resolve) => {
    execFile(program, words, { cwd: '/' }, (error, stdout, stderr) => {
      resolve({ exitCode: error === null ? 0 : Number(error.code), output: stdout + stderr });
    });
  });
}

const build = (script = path.join(folder, 'build.mjs')): Promise<Result> => run(process.execPath, [script]);

async function built(version: number): Promise<string> {
  write(version);
  expect(await build()).toMatchObject({ exitCode: 0 });
  return current();
}

test('by a path that leads over a link', async () => {
  const link = path.join(tempFolder(), 'link');
  symlinkSync(folder, link);
  const { exitCode, output } = await build(path.join(link, 'build.mjs'));
  expect([exitCode, output]).toEqual([0, `built dist/${current()}\n`]);
  expect(await run(process.execPath, [inDist(current(), 'main.js')])).toEqual({ exitCode: 0, output: '1\n' });
});

test.each([
  ['a folder, as a copy leaves it', () => mkdirSync(inDist('current'))],
  ['a link, as an earlier version made it', () => symlinkSync('nowhere', inDist('current'))],
  ['empty', () => writeFileSync(inDist('current'), '')],
])('over a dist/current that is %s', async (_what, make) => {
  mkdirSync(inDist());
  make();
  expect(await build()).toMatchObject({ exitCode: 0 });
  expect(builds()).toEqual([current()]);
});

test('mends what is missing or emptied in a build that is there', async () => {
  const id = await built(1);
  const text = readFileSync(inDist(id, 'main.js'), 'utf8');
  writeFileSync(inDist(id, 'main.js'), '');
  rmSync(inDist(id, 'store-thread.js'));
  expect(await built(1)).toBe(id);
  expect(readFileSync(inDist(id, 'main.js'), 'utf8')).toBe(text);
  expect(statSync(inDist(id, 'store-thread.js')).size).toBeGreaterThan(0);
});

test('removes what a build that was killed has left, and nothing of one that is under way', async () => {
  const ended = spawn('true');
  await once(ended, 'exit');
  for (const name of [`0123456789ab.${ended.pid}`, `0123456789ab.${process.pid}`, 'mine']) {
    mkdirSync(inDist(name), { recursive: true });
  }
  writeFileSync(inDist(`current.${ended.pid}`), '');
  const id = await built(1);
  expect(builds().sort()).toEqual(['mine', `0123456789ab.${process.pid}`, id].sort());
});

test('is read by everybody, whatever the umask is', async () => {
  const words = ['-c', 'umask 077; exec "$@"', 'sh', process.execPath, path.join(folder, 'build.mjs')];
  expect(await run('/bin/sh', words)).toMatchObject({ exitCode: 0 });
  const modes = [inDist(), inDist('current'), inDist(current()), inDist(current(), 'main.js')].map((file) =>
    (statSync(file).mode & 0o777).toString(8),
  );
  expect(modes).toEqual(['755', '644', '755', '644']);
});

test('five builds stay, and one that a process holds open', async () => {
  const first = await built(1);
  const second = await built(2);
  const child = spawn('sleep', ['60'], { stdio: [openSync(inDist(first), 'r'), 'ignore', 'ignore'] });
  onTestFinished(() => void child.kill());
  for (const version of [3, 4, 5, 6, 7]) await built(version);
  expect(builds()).toHaveLength(6);
  expect(builds()).toContain(first);
  expect(builds()).not.toContain(second);
});

const linked = (): string => path.join(folder, 'node_modules', '.bin', 'spush');

test('links the executable, for npx', async () => {
  mkdirSync(path.dirname(linked()));
  await built(1);
  expect(readlinkSync(linked())).toBe('../../bin/spush.js');
});

test('where the executable cannot be linked the program is built all the same, and that is said', async () => {
  // Nothing can be made in it, by root neither.
  symlinkSync('/proc/self/fdinfo', path.dirname(linked()));
  const { exitCode, output } = await build();
  expect(exitCode).toBe(0);
  expect(output).toMatch(/^built dist\/[0-9a-f]{12}\nnpx spush does not run this program: E\w+: /);
  expect(builds()).toEqual([current()]);
});

test('of several at once all end well', async () => {
  await built(1);
  mkdirSync(path.dirname(linked()));
  const results = await Promise.all([build(), build(), build()]);
  expect(results).toEqual(Array(3).fill({ exitCode: 0, output: `built dist/${current()}\n` }));
  expect(builds()).toEqual([current()]);
});

test('without its packages, or where it may not write, it says so in one line', async () => {
  writeFileSync(inDist(), 'no folder');
  const refused = await build();
  expect(refused).toEqual({
    exitCode: 1,
    output: expect.stringMatching(/^cannot build: EEXIST: .*dist'\n$/),
  });
  rmSync(path.join(folder, 'node_modules'), { recursive: true });
  expect(await build()).toEqual({
    exitCode: 1,
    output: 'cannot build: the package esbuild is not installed: run `npm ci`, which builds too\n',
  });
});
