import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { sourceText } from '../../../../src/platform/config/config-source.js';
import { loadConfig } from '../../../../src/platform/config/load-config.js';
import { ReadingTime } from '../../../../src/platform/config/reading-time.js';
import { errorText, isSpushError } from '../../../../src/shared/base/errors.js';
import { tempFolder } from '../../../support/temp-folder.js';
import { BOOTSTRAP, faultsOf, load, NODE, ONLINE, SITE } from './loading.js';

describe('layers', () => {
  test('without any file all keys have their defaults', async () => {
    const root = tempFolder();
    const { config, sources, filesRead } = await loadConfig({ cwd: root, env: { SPUSH_ROOT: root } });
    expect(config.mode).toBe('websocket');
    expect(config.env).toBe(0);
    expect(config.system.Port).toBe(9501);
    expect(config.api.keys).toEqual([]);
    expect(config.paths.socket).toBe(path.join(root, 'Temp/websocket.sock'));
    expect(sources.get('Port')).toEqual({ kind: 'default' });
    expect(filesRead).toEqual([]);
  });

  test('a higher layer wins, and each value says where it came from', async () => {
    const { config, sources } = await load({
      files: {
        'bootstrap.ts': 'export default { PUSHENV: 1 };',
        'conf/SystemConf.ts': 'export default { MaxLinkNumber: 11, WorkerNum: 3, TaskWorkerNum: 4 };',
        'conf/Test/gzcp.ts':
          'export default { verifyUrl: "http://10.0.0.7/login/pushMsgLogin", deadlineMs: 5 };',
        'conf/Online/gzcp.ts': 'export default { deadlineMs: 6 };',
      },
      env: { SPUSH_WORKER_NUM: '5', SPUSH_TASK_WORKER_NUM: '6', SPUSH_GZCP_SECRET: 'c', ...NODE },
      settings: { TaskWorkerNum: '7' },
    });
    expect(config.env).toBe(1);
    expect(config.system).toMatchObject({ MaxLinkNumber: 11, WorkerNum: 5, TaskWorkerNum: 7 });
    expect(config.gzcp.deadlineMs).toBe(5);
    const texts = ['PUSHENV', 'MaxLinkNumber', 'WorkerNum', 'TaskWorkerNum', 'gzcp.deadlineMs'].map((key) =>
      sourceText(sources.get(key) ?? { kind: 'default' }).replace(config.paths.root, ''),
    );
    expect(texts).toEqual([
      '/bootstrap.ts',
      '/conf/SystemConf.ts',
      'SPUSH_WORKER_NUM',
      'command line',
      '/conf/Test/gzcp.ts',
    ]);
  });

  test('in PUSHENV 0 no folder of an environment is read, but the environment counts', async () => {
    const { config } = await load({
      files: {
        'conf/Test/api.ts': 'throw new Error("read");',
        'conf/local/api.ts': 'throw new Error("read");',
      },
      env: { SPUSH_API_KEYS: '{"gzcp":"s3cret"}', SPUSH_GZCP_VERIFY_URL: 'http://127.0.0.1:1/verify' },
    });
    expect(config.api.keys).toEqual([{ id: 'gzcp', secret: 's3cret' }]);
    expect(config.gzcp.verifyUrl).toBe('http://127.0.0.1:1/verify');
  });

  test('PUSHENV of the environment wins over bootstrap.ts', async () => {
    const { config, sources } = await load({
      files: { 'bootstrap.ts': 'export const PUSHENV = 2;' },
      env: { PUSHENV: '0' },
    });
    expect(config.env).toBe(0);
    expect(sources.get('PUSHENV')).toEqual({ kind: 'environment', name: 'PUSHENV' });
  });

  test('undefined in a file is not set', async () => {
    const { config } = await load({
      files: { 'conf/SystemConf.ts': 'export default { Port: process.env.NO_SUCH_VARIABLE_ANYWHERE };' },
    });
    expect(config.system.Port).toBe(9501);
  });

  test('a file is read anew each time', async () => {
    const root = tempFolder({ ...BOOTSTRAP, 'conf/SystemConf.ts': 'export default { Port: 1 };' });
    expect((await loadConfig({ cwd: root, env: {} })).config.system.Port).toBe(1);
    writeFileSync(path.join(root, 'conf/SystemConf.ts'), 'export default { Port: 2 };');
    expect((await loadConfig({ cwd: root, env: {} })).config.system.Port).toBe(2);
  });

  test('imports of types are erased, and functions stay functions', async () => {
    const { config } = await load({
      files: {
        'conf/Test/gzcp.ts': `import type { GzcpConf } from '../../nowhere/at-all.js';
          const conf: GzcpConf = {
            verifyUrl: 'http://10.0.0.7/',
            token: (timestamp: string, loginkey: string, secret: string) => timestamp + loginkey + secret,
          };
          export default conf;`,
      },
      env: {
        PUSHENV: '1',
        SPUSH_GZCP_SECRET: 'c',
        ...NODE,
      },
    });
    expect(config.gzcp.token?.('a', 'b', config.gzcp.secret)).toBe('abc');
  });

  test('paths in the configuration become absolute', async () => {
    const home = tempFolder();
    const { config } = await load({ env: { SPUSH_HOME: home, SPUSH_DB_FILE: 'Data/other.db' } });
    expect(config.db.file).toBe(path.join(home, 'Data/other.db'));
  });

  test('the result is frozen through and through', async () => {
    const { config } = await load();
    const { system, api, paths } = config;
    for (const part of [config, system, system.Deliver, system.TrustedProxies, api.keys, paths]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });
});

describe('a reload', () => {
  const files = {
    'bootstrap.ts': 'export const PUSHENV = 1;',
    'conf/Test/db.ts': 'export default { host: "10.0.0.5", database: "of_test" };',
    'conf/Online/db.ts': 'export default { host: "10.0.0.5", database: "of_online" };',
  };
  const env = { ...NODE, ...SITE, ...ONLINE, SPUSH_DB_HOST: undefined, SPUSH_DB_DATABASE: undefined };

  test('stays in its environment, and says what bootstrap.ts says by now', async () => {
    const root = tempFolder(files);
    const { config } = await loadConfig({ cwd: root, env });
    writeFileSync(path.join(root, 'bootstrap.ts'), 'export const PUSHENV = 2;');
    const again = await loadConfig({ cwd: root, env, place: config });
    expect([again.config.env, again.config.db.database, again.pushEnv]).toEqual([1, 'of_test', 2]);
    const started = await loadConfig({ cwd: root, env });
    expect([started.config.env, started.config.db.database, started.pushEnv]).toEqual([2, 'of_online', 2]);
  });

  test('stays in its root when bootstrap.ts is gone, and says so', async () => {
    const above = tempFolder({ 'bootstrap.ts': 'export const PUSHENV = 0;' });
    const root = path.join(above, 'inner');
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
      writeFileSync(path.join(root, name), text);
    }
    const { config } = await loadConfig({ cwd: root, env });
    expect(config.paths.root).toBe(root);
    rmSync(path.join(root, 'bootstrap.ts'));
    const reload = loadConfig({ cwd: root, env, place: config });
    await expect(reload).rejects.toThrow(`${root}/bootstrap.ts: is missing`);
  });
});

describe('faults', () => {
  test('all are listed at once, each with file, key, value and what is expected', async () => {
    const root = tempFolder({
      ...BOOTSTRAP,
      'conf/SystemConf.ts': `export default {
        MaxLinkNumbr: 5, WorkerNum: 0, StopSeconds: 'long', TrustedProxies: ['10.0.0.0/8', 'proxy'],
      };`,
    });
    const file = path.join(root, 'conf/SystemConf.ts');
    const loading = loadConfig({ cwd: root, env: { SPUSH_PORT: 'abc', SPUSH_DELIVER: '{' } });
    await expect(loading).rejects.toMatchObject({ code: 'CONFIG_INVALID', exitCode: 78 });
    await expect(loading).rejects.toThrow('the configuration has 6 faults:\n');
    const faults = await loading.catch((error: unknown) => (isSpushError(error) ? error.message : ''));
    for (const line of [
      `${file}: MaxLinkNumbr is not a known key. Did you mean MaxLinkNumber?`,
      `${file}: WorkerNum is 0; expected a whole number from 1 to 256`,
      `${file}: StopSeconds is "long"; expected a number from 0.01 to 86400 (s)`,
      `${file}: TrustedProxies[1] is "proxy"; expected an address range such as 10.0.0.0/8 or an IP address`,
      'SPUSH_DELIVER: Deliver is not JSON: {; expected { comment: one of now, cron',
      'SPUSH_PORT: Port is "abc"; expected a whole number from 0 to 65535',
    ]) {
      expect(faults).toContain(`\n  ${line}`);
    }
  });

  test('a value is checked even when a higher layer replaces it', async () => {
    const [fault, ...others] = await faultsOf({
      files: { 'conf/SystemConf.ts': 'export default { Port: -1 };' },
      env: { SPUSH_PORT: '80' },
    });
    expect(others).toEqual([]);
    expect(fault).toMatchObject({ key: 'Port', problem: 'is -1' });
  });

  test('secret values are never shown', async () => {
    const faults = await faultsOf({
      env: { SPUSH_API_KEYS: '[{"id":"hunter2"}, "hunter2"]', SPUSH_DB_PASSWORD: 'x' },
      settings: { 'api.keys': 'hunter2 {' },
    });
    expect(faults.length).toBeGreaterThan(1);
    expect(JSON.stringify(faults)).not.toContain('hunter2');
  });

  test('a file that does not parse is a fault with its line', async () => {
    const [fault] = await faultsOf({
      files: { 'conf/SystemConf.ts': 'export default {\n  Port: 1\n  Host: 2\n};' },
    });
    expect(fault?.where).toMatch(/conf\/SystemConf\.ts:3$/);
    expect(fault?.problem).toContain('does not parse: Unexpected token');
  });

  test('a file that throws is a fault with its line', async () => {
    const [fault] = await faultsOf({
      files: {
        'conf/SystemConf.ts': '// first\nconst none: undefined = undefined;\nexport default none.Port;',
      },
    });
    expect(fault?.where).toMatch(/conf\/SystemConf\.ts:3$/);
    expect(fault?.problem).toContain('throws when it is read: Cannot read properties of undefined');
  });

  test.each([
    ['export const Port = 1;', 'has no default export'],
    ['export default 5;', 'exports by default what is not a plain object'],
    ['export default [];', 'exports by default what is not a plain object'],
  ])('%s is not a configuration', async (text, problem) => {
    const faults = await faultsOf({ files: { 'conf/SystemConf.ts': text } });
    expect(faults).toMatchObject([{ problem }]);
  });

  test.each([
    ['export const PUSHENV = 3;', {}, 'bootstrap.ts', 'is 3'],
    ['export const PUSHENV = "1";', {}, 'bootstrap.ts', 'is "1"'],
    ['export const PUSH_ENV = 1;', {}, 'bootstrap.ts', 'is not known. Did you mean PUSHENV?'],
    ['throw new Error("no");', {}, 'bootstrap.ts:1', 'throws when it is read: no'],
    ['', { PUSHENV: 'Online' }, 'PUSHENV', 'is "Online"'],
    ['', { SPUSH_ENV: '2' }, 'SPUSH_ENV', 'is not known. Did you mean PUSHENV?'],
  ])('%j with %j does not say which environment this is', async (text, env, where, problem) => {
    const [fault, ...others] = await faultsOf({ files: { 'bootstrap.ts': text }, env });
    expect(others).toEqual([]);
    expect(fault?.where.endsWith(where)).toBe(true);
    expect(fault?.problem).toBe(problem);
  });

  test.each([
    [{ 'conf/SystemConf.ts': 'export default {};' }, 'conf/SystemConf.ts'],
    [{ 'conf/Online/api.ts': 'export default {};' }, 'conf/Online'],
  ])('beside %j a lost bootstrap.ts is one, as PUSHENV would be a guess', async (files, named) => {
    const root = tempFolder(files);
    const env = { SPUSH_ROOT: root };
    const error = await loadConfig({ cwd: root, env }).catch((thrown: unknown) => thrown);
    expect(errorText(error)).toMatch(
      new RegExp(`^the configuration has 1 fault:\n.*bootstrap\\.ts: is missing, and there is .*${named}`),
    );
    expect(errorText(error)).toContain('or the variable PUSHENV: 0 (local), 1 (Test), 2 (Online)');
    expect((await loadConfig({ cwd: root, env: { ...env, PUSHENV: '0' } })).config.env).toBe(0);
  });

  test('beside a conf/ a bootstrap.ts that does not say PUSHENV is one too', async () => {
    const files = { 'bootstrap.ts': 'export const jobs = [];', 'conf/Test/db.ts': 'export default {};' };
    expect(await faultsOf({ files })).toMatchObject([{ problem: expect.stringMatching(/^does not say/) }]);
    expect((await load({ files: { 'bootstrap.ts': 'export const jobs = [];' } })).config.env).toBe(0);
  });

  test('a mode that cannot name a file is wrong usage', async () => {
    await expect(load({ mode: '../etc' })).rejects.toMatchObject({ code: 'USAGE', exitCode: 2 });
  });

  test('a root that is not there is a fault', async () => {
    const faults = await faultsOf({ env: { SPUSH_ROOT: '/no/such/folder' } });
    expect(faults).toMatchObject([{ where: 'SPUSH_ROOT', problem: 'is /no/such/folder' }]);
  });
});

test('all files together have the time of one reading, and those behind it are not blamed', async () => {
  const waits = 'await new Promise((resolve) => setTimeout(resolve, 700));';
  const root = tempFolder({
    'bootstrap.ts': `${waits} export const PUSHENV = 1;`,
    'conf/SystemConf.ts': `${waits} export default {};`,
    'conf/Test/api.ts': 'export default { keys: 5 };',
  });
  await expect(loadConfig({ cwd: root, env: {} }, new ReadingTime(1200))).rejects.toMatchObject({
    detail: {
      faults: [
        {
          where: path.join(root, 'conf/SystemConf.ts'),
          problem: expect.stringContaining('within 1200 ms, the time of all files together'),
        },
      ],
    },
  });
});

test('of a long list that is wrong the first entries are told, and how many more there are', async () => {
  const faults = await faultsOf({
    files: { 'conf/SystemConf.ts': 'export default { TrustedProxies: Array(5000).fill("x") };' },
  });
  expect(faults).toHaveLength(21);
  expect(faults[19]).toMatchObject({ key: 'TrustedProxies[19]' });
  expect(faults[20]).toMatchObject({ key: 'TrustedProxies', problem: 'has 4980 more faults' });
});
