/**
 * Restarts from a clean shell (`env -i`): a server of each environment keeps it where its files say so, and is left alone
 * where only the variables of the first shell said so.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { PushEnv } from '../../src/platform/config/config-schema.js';
import { freePort } from '../support/free-port.js';
import { OwnRedis } from '../support/own-redis.js';
import { canHaveOwnSite, nodeEnv, OwnSite, redisAt } from '../support/own-site.js';
import { tempFolder } from '../support/temp-folder.js';

const EXECUTABLE = path.resolve(import.meta.dirname, '../../bin/spush.js');
const ends: (() => Promise<void>)[] = [];
/** What nodes of PUSHENV 1 and 2 need; null where the programs are missing. */
let site: OwnSite | null = null;
let redisPort = 0;

beforeAll(async () => {
  if (!canHaveOwnSite()) return;
  const own = await OwnSite.start();
  ends.push(() => own.close());
  redisPort = (await OwnRedis.start({}, (end) => ends.push(end))).port;
  site = own;
}, 120_000);

afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

interface Shell {
  /** Its folder, in which no other variable leads anywhere. */
  readonly cwd: string;
  readonly variables?: Readonly<Record<string, string>>;
}

interface Result {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** As `env -i PATH=… spush …` in a folder. */
function spush({ cwd, variables = {} }: Shell, ...words: string[]): Promise<Result> {
  return new Promise((resolve) => {
    const env = { PATH: process.env['PATH'], ...variables };
    execFile(process.execPath, [EXECUTABLE, ...words], { cwd, env }, (error, stdout, stderr) => {
      resolve({ exitCode: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

async function variablesOf(env: PushEnv): Promise<Record<string, string>> {
  const common = {
    PUSHENV: String(env),
    SPUSH_HOST: '127.0.0.1',
    SPUSH_PORT: String(await freePort()),
    SPUSH_WORKER_NUM: '1',
    SPUSH_TASK_WORKER_NUM: '1',
  };
  if (env === 0) return common;
  if (site === null) throw new Error('there is no site');
  const db = await site.mariadb.makeDatabase();
  const ofNode = nodeEnv(site.access, db, redisAt(redisPort));
  return { ...ofNode, ...common, SPUSH_API_ORIGINS: '["https://www.gzcp.cn"]' };
}

/** The same in files, as an operator would write them. */
function filesOf(variables: Readonly<Record<string, string>>): Record<string, string> {
  const { PUSHENV: env = '0', ...keys } = variables;
  const folder = env === '2' ? 'Online' : 'Test';
  const byFile = new Map<string, string[]>();
  for (const [name, text] of Object.entries(keys)) {
    const [, file = '', key = ''] = /^SPUSH_(DB|REDIS|GZCP|API)_(.*)$/.exec(name) ?? [];
    const camel = (key || name.slice('SPUSH_'.length))
      .toLowerCase()
      .replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
    const own = file === '' ? camel.replace(/^./, (letter) => letter.toUpperCase()) : camel;
    const value = /^[[{]|^\d+$/.test(text) ? text : JSON.stringify(text);
    const where = file === '' ? 'conf/SystemConf.ts' : `conf/${folder}/${file.toLowerCase()}.ts`;
    byFile.set(where, [...(byFile.get(where) ?? []), `${own}: ${value}`]);
  }
  const conf = [...byFile].map(([name, lines]) => [name, `export default { ${lines.join(', ')} };\n`]);
  return { 'bootstrap.ts': `export const PUSHENV = ${env};\n`, ...Object.fromEntries(conf) };
}

async function status(shell: Shell): Promise<{ env: number; pid: number }> {
  const { stdout, stderr } = await spush(shell, 'server', 'status', '--json');
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
}

async function started(shell: Shell): Promise<void> {
  const { exitCode, stderr } = await spush(shell, 'server', 'start', '-d');
  onTestFinished(() => stopped(shell));
  expect([exitCode, stderr]).toEqual([0, '']);
}

async function stopped(shell: Shell): Promise<void> {
  await spush(shell, 'server', 'stop', '-force');
}

describe.each([0, 1, 2] as const)('a server of PUSHENV %i', (env) => {
  test('that is configured by files keeps its environment when it is restarted from a clean shell', async ({
    skip,
  }) => {
    if (env !== 0 && site === null) skip();
    const clean = { cwd: tempFolder(filesOf(await variablesOf(env))) };
    await started(clean);
    const before = await status(clean);
    expect(before.env).toBe(env);
    const { exitCode, stdout, stderr } = await spush(clean, 'server', 'restart');
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toContain(`server stop for pid ${before.pid}`);
    const after = await status(clean);
    expect([after.env, after.pid === before.pid]).toEqual([env, false]);
  });

  test('that is configured by variables is left alone by a restart that would take another one', async ({
    skip,
  }) => {
    if (env !== 0 && site === null) skip();
    const variables = await variablesOf(env);
    const said = env === 0 ? 1 : 0;
    const cwd = tempFolder({ 'bootstrap.ts': `export const PUSHENV = ${said};\n` });
    const first = { cwd, variables };
    await started(first);
    const before = await status(first);
    const { exitCode, stdout, stderr } = await spush({ cwd }, 'server', 'restart', '-d');
    expect([exitCode, stdout]).toEqual([78, '']);
    expect(stderr).toMatch(
      new RegExp(
        `PUSHENV: ${env} \\(\\w+\\) → ${said} \\(\\w+\\)\n.*the variable PUSHENV said ${env} and is not set here`,
      ),
    );
    expect(stderr).toContain('nothing was stopped or started');
    expect(await status(first)).toMatchObject({ env, pid: before.pid });
    // And with its own variables it is restarted.
    expect((await spush(first, 'server', 'restart')).exitCode).toBe(0);
    expect((await status(first)).env).toBe(env);
    // Its data is not taken for another environment either, once it is stopped.
    expect((await spush(first, 'server', 'stop')).exitCode).toBe(0);
    const start = await spush({ cwd }, 'server', 'start', '-d');
    expect([start.exitCode, start.stdout]).toEqual([78, '']);
    expect(start.stderr).toContain(`PUSHENV: ${env} `);
  });
});

test('a restart in another environment is done with --yes, and that one is kept from then on', async () => {
  const cwd = tempFolder({ 'bootstrap.ts': 'export const PUSHENV = 0;\n' });
  const port = { SPUSH_PORT: String(await freePort()), SPUSH_WORKER_NUM: '1', SPUSH_TASK_WORKER_NUM: '1' };
  const shell = { cwd, variables: port };
  await started(shell);
  const file = path.join(cwd, 'Data/websocket.environment.json');
  const record = JSON.parse(readFileSync(file, 'utf8'));
  expect(record).toMatchObject({ env: 0, envSource: path.join(cwd, 'bootstrap.ts'), root: cwd, home: cwd });
  expect((await spush(shell, 'server', 'stop')).exitCode).toBe(0);
  writeFileSync(file, JSON.stringify({ ...record, env: 2 }));
  expect((await spush(shell, 'server', 'start', '-d')).exitCode).toBe(78);
  expect((await spush(shell, 'server', 'start', '-d', '--yes')).exitCode).toBe(0);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(record);
});

test('a restart without SPUSH_HOME starts no second server beside the one that runs elsewhere', async () => {
  const cwd = tempFolder({ 'bootstrap.ts': 'export const PUSHENV = 0;\n' });
  const home = tempFolder();
  const port = { SPUSH_PORT: String(await freePort()), SPUSH_WORKER_NUM: '1', SPUSH_TASK_WORKER_NUM: '1' };
  const first = { cwd, variables: { ...port, SPUSH_HOME: home } };
  await started(first);
  const before = await status(first);
  const { exitCode, stdout, stderr } = await spush({ cwd }, 'server', 'restart', '-d');
  expect([exitCode, stdout]).toEqual([78, '']);
  expect(stderr).toContain(`pid ${before.pid}: PUSHENV 0 (local), SPUSH_HOME ${home}, SPUSH_ROOT ${cwd}`);
  expect(existsSync(path.join(cwd, 'Data'))).toBe(false);
  expect((await status(first)).pid).toBe(before.pid);
});

test('a reload stays in the environment of the start when bootstrap.ts says another one, or is gone', async () => {
  const cwd = tempFolder({
    'bootstrap.ts': 'export const PUSHENV = 0;\n',
    'conf/SystemConf.ts': 'export default { WorkerNum: 1, TaskWorkerNum: 1 };\n',
  });
  const shell = { cwd, variables: { SPUSH_PORT: String(await freePort()) } };
  await started(shell);
  writeFileSync(path.join(cwd, 'bootstrap.ts'), 'export const PUSHENV = 1;\n');
  const changed = await spush(shell, 'server', 'reload');
  expect(changed.exitCode).toBe(0);
  expect(changed.stdout).toContain('not applied until spush server restart -mode=websocket: PUSHENV');
  expect((await status(shell)).env).toBe(0);
  rmSync(path.join(cwd, 'bootstrap.ts'));
  const lost = await spush(
    { ...shell, variables: { ...shell.variables, SPUSH_ROOT: cwd } },
    'server',
    'reload',
  );
  expect(lost.exitCode).toBe(78);
  expect(lost.stderr).toContain(`${cwd}/bootstrap.ts: is missing`);
  writeFileSync(path.join(cwd, 'bootstrap.ts'), 'export const PUSHENV = 0;\n');
});
