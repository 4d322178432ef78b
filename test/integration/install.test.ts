/** A production installation from the files of the repository, and programs that change under a running server. */
import { execFile } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../support/daemon.js';

const ROOT = path.resolve(import.meta.dirname, '../..');
const INSTALL_MS = 300_000;
const run = promisify(execFile);

const folder = mkdtempSync(path.join(tmpdir(), 'spush-install-'));
const release = (name: string): string => path.join(folder, 'releases', name);
const current = path.join(folder, 'current');
const home = path.join(folder, 'home');
let port: number;

beforeAll(async () => {
  const listed = await run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
  });
  for (const file of listed.stdout
    .split('\0')
    .filter((name) => name !== '' && !/^(test|docs)\//.test(name))) {
    mkdirSync(path.dirname(path.join(release('1'), file)), { recursive: true });
    cpSync(path.join(ROOT, file), path.join(release('1'), file));
  }
  await run('npm', ['ci', '--omit=dev', '--prefer-offline', '--no-audit', '--no-fund'], {
    cwd: release('1'),
  });
  pointTo('1');
  mkdirSync(home);
  port = await freePort();
}, INSTALL_MS);

afterAll(async () => {
  await spush('server', 'stop', '-force').catch(() => {
    // The tests have stopped it.
  });
  rmSync(folder, { recursive: true, force: true });
});

/** `current`, in one step, as a deployment does it. */
function pointTo(name: string): void {
  symlinkSync(release(name), `${current}.new`);
  renameSync(`${current}.new`, current);
}

/** What a command says, called by the link. */
async function spush(...args: string[]): Promise<string> {
  const bin = path.join(current, 'bin/spush.js');
  const env = { PATH: process.env['PATH'], PUSHENV: '0', SPUSH_HOME: home, SPUSH_WORKER_NUM: '1' };
  const { stdout, stderr } = await run(process.execPath, [bin, ...args], { env, cwd: release('1') });
  return stdout + stderr;
}

async function build(name: string, version: string): Promise<void> {
  const file = path.join(release(name), 'package.json');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace(/"version": ".*?"/, `"version": "${version}"`));
  await run('npm', ['run', 'build'], { cwd: release(name) });
}

/** The version that the Worker runs. */
async function served(): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}/openapi.json`, { headers: { Connection: 'close' } });
  return ((await answer.json()) as { info: { version: string } }).info.version;
}

async function workerPid(): Promise<number> {
  const { processes } = JSON.parse(await spush('process', 'show', '--json')) as {
    processes: { group: string; pid: number }[];
  };
  return processes.find(({ group }) => group.endsWith('.Worker'))?.pid ?? Number.NaN;
}

test('npx spush is the installed program, and nothing of it is copied into the cache', async () => {
  const cache = path.join(folder, 'cache');
  const env = { ...process.env, npm_config_cache: cache };
  const { stdout } = await run('npx', ['spush', '--version'], { cwd: release('1'), env });
  expect(stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/);
  await expect(run('ls', [path.join(cache, '_npx')])).rejects.toThrow('No such file');
});

test(
  'a build is run after a reload, one in another release as well, and the way back is the same',
  async () => {
    await build('1', '1.0.0');
    await spush('server', 'start', '-d', `--port=${port}`);
    await build('1', '1.0.1');
    const before = await workerPid();
    process.kill(before, 'SIGKILL');
    await expect.poll(workerPid, { timeout: 20_000 }).not.toBe(before);
    await expect.poll(served, { timeout: 20_000 }).toBe('1.0.0');

    expect(await spush('server', 'reload')).toContain(
      `new processes run the program in ${release('1')}/dist/`,
    );
    expect(await served()).toBe('1.0.1');
    expect(await spush('server', 'reload')).not.toContain('new processes run');

    cpSync(release('1'), release('2'), { recursive: true, verbatimSymlinks: true });
    await build('2', '2.0.0');
    pointTo('2');
    expect(await spush('server', 'reload')).toContain(
      `new processes run the program in ${release('2')}/dist/`,
    );
    expect(await served()).toBe('2.0.0');

    pointTo('1');
    expect(await spush('server', 'reload')).toContain(
      `new processes run the program in ${release('1')}/dist/`,
    );
    expect(await served()).toBe('1.0.1');
    await spush('server', 'stop');
  },
  INSTALL_MS,
);
