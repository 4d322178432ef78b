/** Failures under --json: one line on standard output, whatever went wrong, with the exit code that people get. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { wantsJson } from '../../../src/cli/failure.js';
import { isErrorCode } from '../../../src/shared/base/errors.js';
import { type CliResult, type CliWorldOptions, cliWorld } from '../../support/cli-world.js';
import { tempFolder } from '../../support/temp-folder.js';
import { TYPED_COMMANDS } from '../../support/typed-commands.js';

function errorIn({ stdout, stderr }: Pick<CliResult, 'stdout' | 'stderr'>): Record<string, unknown> {
  expect(stderr).toBe('');
  const line = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as { error: Record<string, unknown> };
  expect(isErrorCode(line.error['code'])).toBe(true);
  return line.error;
}

const OF_FILES = ['server start', 'server restart', 'config show', 'config check', 'service print'];
const isOfFiles = ([group, action]: readonly string[]): boolean => OF_FILES.includes(`${group} ${action}`);
const typed = (argv: readonly string[], options: CliWorldOptions = {}) =>
  cliWorld(options).run(...argv, '--json');

describe('every command', () => {
  test.each(TYPED_COMMANDS)('%s %s: a wrong option', async (...argv) => {
    const result = await typed([...argv, '--wrong']);
    expect(errorIn(result)).toMatchObject({ code: 'USAGE', exitCode: 2 });
    expect(result.exitCode).toBe(2);
  });

  test.each(TYPED_COMMANDS.filter((argv) => !isOfFiles(argv)))('%s %s: not running', async (...argv) => {
    const result = await typed(argv);
    const message = expect.stringContaining('mode websocket is not running');
    expect(errorIn(result)).toEqual({ code: 'NOT_RUNNING', message, exitCode: 3 });
    expect(result.exitCode).toBe(3);
  });

  test.each(TYPED_COMMANDS.filter(isOfFiles))('%s %s: a faulty configuration', async (...argv) => {
    const result = await typed(argv, { env: { SPUSH_PORT: 'x' } });
    expect(errorIn(result)).toMatchObject({ code: 'CONFIG_INVALID', exitCode: 78 });
    expect(result.exitCode).toBe(78);
  });
});

describe('what is wrong with the words', () => {
  test.each([
    [['servr']],
    [['server', 'strat']],
    [['server']],
    [['server', 'start', '-d=perhaps']],
    [['server', 'stop', '-mode']],
    [['crontab', 'run']],
    [['server', 'status', 'now']],
  ])('%j', async (argv) => {
    expect(errorIn(await typed(argv))).toMatchObject({ code: 'USAGE', exitCode: 2 });
  });
});

test('faults of the configuration are listed one by one', async () => {
  const result = await typed(['config', 'show'], { env: { SPUSH_PORT: 'x', SPUSH_WORKER_NUM: '0' } });
  const { detail } = errorIn(result) as { detail: { faults: { key: string }[] } };
  expect(detail.faults.map(({ key }) => key)).toEqual(['Port', 'WorkerNum']);
});

test('config check has them where its result is, beside the error', async () => {
  const { stdout } = await typed(['config', 'check'], { env: { SPUSH_PORT: 'x' } });
  expect(JSON.parse(stdout)).toMatchObject({
    ok: false,
    faults: [{ key: 'Port' }],
    error: { code: 'CONFIG_INVALID', exitCode: 78 },
  });
});

test('a bug is INTERNAL, and keeps its stack', async () => {
  const world = cliWorld({ runMaster: () => Promise.reject(new TypeError('a bug')) });
  await expect(world.run('server', 'start', '--json')).rejects.toThrow('a bug');
  expect(JSON.parse(world.written().stdout)).toEqual({
    error: { code: 'INTERNAL', message: 'a bug', exitCode: 1 },
  });
});

test('what the system refuses is told without a stack', async () => {
  const refusal = Object.assign(new Error('EROFS: read-only file system, mkdir'), { syscall: 'mkdir' });
  const world = cliWorld({ runMaster: () => Promise.reject(refusal) });
  expect(await world.run('server', 'start')).toEqual({
    exitCode: 1,
    stdout: '',
    stderr: 'the system refuses it: EROFS: read-only file system, mkdir\n',
  });
});

test.each([0, 3])('a file of the operator that ends the process with %s', (code) => {
  const root = tempFolder({ 'bootstrap.ts': `process.exit(${code});` });
  const program = path.resolve(import.meta.dirname, '../../../bin/spush.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'config', 'show', '--json'], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], SPUSH_ROOT: root },
  });
  expect(status).toBe(78);
  expect(errorIn({ stdout, stderr })).toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining(`${root}/bootstrap.ts: calls process.exit() while it is read`),
  });
});

test.each([
  [['a', '--json'], true],
  [['-json', 'a'], true],
  [['--json=true'], true],
  [['--json=off'], false],
  [['--json', '--json=false'], false],
  [['--', '--json'], false],
  [['--jsonx'], false],
])('%j asks for JSON: %j', (argv, expected) => {
  expect(wantsJson(argv)).toBe(expected);
});
