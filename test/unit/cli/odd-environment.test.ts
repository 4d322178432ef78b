/** Commands typed, or started by others, in an environment in which something usual is missing. */
import { spawnSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { cliWorld } from '../../support/cli-world.js';
import { tempFolder } from '../../support/temp-folder.js';
import { TYPED_COMMANDS } from '../../support/typed-commands.js';

const SPUSH = path.resolve(import.meta.dirname, '../../../bin/spush.js');

interface Typed {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The built program, run by a shell that does something before. */
function typed(shell: string, env: Readonly<Record<string, string>>, ...argv: string[]): Typed {
  const script = `${shell}; exec "$0" "$@"`;
  const result = spawnSync('/bin/sh', ['-c', script, process.execPath, SPUSH, ...argv], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], ...env },
  });
  const { status, stdout, stderr } = result;
  return { status, stdout, stderr };
}

describe('in a folder that has been removed', () => {
  const GONE = 'the folder in which this command was typed has been removed: change to one that exists';

  test.each(TYPED_COMMANDS)('%s %s says so', async (...argv) => {
    const { exitCode, stdout, stderr } = await cliWorld({ cwd: null }).run(...argv);
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toContain(GONE);
  });

  test('the program says it in one line', () => {
    const gone = tempFolder();
    const { status, stdout, stderr } = typed(`cd ${gone} && rmdir ${gone}`, {}, 'server', 'status');
    expect([status, stdout]).toEqual([2, '']);
    // The shell may say something of its own.
    const lines = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('sh: '));
    expect(lines).toEqual([expect.stringContaining(GONE)]);
  });

  test.each([
    [['server', 'status'], 3],
    [['config', 'show'], 0],
    [['service', 'print'], 0],
    [['-h'], 0],
  ])('%j works where the folders are given by absolute paths', (argv, status) => {
    const gone = tempFolder();
    const root = tempFolder({ 'bootstrap.ts': 'export const PUSHENV = 0;' });
    const result = typed(`cd ${gone} && rmdir ${gone}`, { SPUSH_ROOT: root, SPUSH_HOME: root }, ...argv);
    expect(result.status, result.stderr).toBe(status);
  });
});

describe('as a worker of the node:cluster of another program, as under pm2 with -i', () => {
  const PRIMARY = `
    const cluster = require('node:cluster');
    cluster.setupPrimary({ exec: ${JSON.stringify(SPUSH)}, args: process.argv.slice(2) });
    cluster.fork().on('exit', (code) => process.exit(code));
  `;
  const started = (...argv: string[]) => {
    const root = tempFolder({ 'bootstrap.ts': 'export const PUSHENV = 0;', 'primary.cjs': PRIMARY });
    return spawnSync(process.execPath, [path.join(root, 'primary.cjs'), ...argv], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], SPUSH_ROOT: root, SPUSH_HOME: root, SPUSH_PORT: '0' },
    });
  };

  test.each(['start', 'restart'])('server %s is refused with what to do instead', (action) => {
    const { status, stdout, stderr } = started('server', action);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/worker of .*node:cluster.*fork mode.*spush service print/s);
    expect(stderr).not.toContain('setupPrimary');
  });

  test('other commands work', () => {
    expect(started('config', 'check')).toMatchObject({ status: 0 });
  });
});

const asRoot = process.getuid?.() === 0;

describe.skipIf(!asRoot)('typed by a user without an account', () => {
  const as = (argv: readonly string[], env: Readonly<Record<string, string>>) =>
    spawnSync(process.execPath, [SPUSH, ...argv], {
      encoding: 'utf8',
      uid: 43_210,
      gid: 43_210,
      env: { PATH: process.env['PATH'], ...env },
    });

  test('service print names it by its number', () => {
    const root = tempFolder({ 'bootstrap.ts': 'export const PUSHENV = 0;' });
    chmodSync(root, 0o755);
    const { status, stdout, stderr } = as(['service', 'print'], { SPUSH_ROOT: root });
    expect(status, stderr).toBe(0);
    expect(stdout).toContain('User=43210\n');
  });

  test('files in a folder that may not be entered are no files that are missing', () => {
    const root = tempFolder({ 'bootstrap.ts': 'export const PUSHENV = 2;' });
    const { status, stdout, stderr } = as(['config', 'check'], { SPUSH_ROOT: root });
    expect([status, stdout]).toEqual([78, '']);
    expect(stderr).toContain(`${root}/bootstrap.ts: cannot be looked for: EACCES`);
  });

  test('a folder that may not be looked at is a fault of SPUSH_ROOT', () => {
    const outer = tempFolder({ 'inner/bootstrap.ts': '' });
    const { status, stderr } = as(['server', 'status'], { SPUSH_ROOT: path.join(outer, 'inner') });
    expect(status).toBe(78);
    expect(stderr).toContain('which cannot be looked at (EACCES');
  });
});

test('a failure under --json that cannot be written is told on standard error', () => {
  const root = tempFolder({ 'bootstrap.ts': 'export const PUSHENV = 0;' });
  const { status, stderr } = typed('exec > /dev/full', { SPUSH_ROOT: root }, 'server', 'status', '--json');
  expect(status).toBe(3);
  expect(stderr).toContain('the result could not be written: ENOSPC');
});

test.each([
  ['standard input', '<&-', 3],
  ['standard output', '>&-', 3],
  ['all three', '<&- >&- 2>&-', 3],
])('%s closed', (_what, closed, status) => {
  const root = tempFolder({ 'bootstrap.ts': 'export const PUSHENV = 0;' });
  expect(typed(`exec ${closed}`, { SPUSH_ROOT: root }, 'server', 'status').status).toBe(status);
});
