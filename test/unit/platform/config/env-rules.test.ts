/** What PUSHENV 1 and 2 demand: nothing passes that could not work. PUSHENV 0 demands nothing. */
import { describe, expect, test } from 'vitest';
import type { ConfigFault } from '../../../../src/platform/config/config-fault.js';
import { faultsOf, load, NODE, ONLINE, SITE } from './loading.js';

const TEST = { PUSHENV: '1', ...NODE, ...SITE };
const ALL = { ...TEST, ...ONLINE, PUSHENV: '2' };
const FILES = {
  'conf/Test/db.ts': 'export default { host: "10.0.0.5", database: "spush_t" };',
  'conf/Test/redis.ts': 'export default { host: "10.0.0.6" };',
  'conf/Test/gzcp.ts': 'export default { verifyUrl: "http://10.0.0.7/verify" };',
  'conf/Test/api.ts': 'export default { allow: ["10.0.0.0/8"] };',
};

const without = (env: NodeJS.ProcessEnv, ...names: string[]) =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !names.includes(name)));
const keysOf = (faults: readonly ConfigFault[]) => faults.map(({ key }) => key);
const textOf = (fault: ConfigFault | undefined) => `${fault?.problem}; ${fault?.expected}`;

describe('a node configured by its environment alone', () => {
  test('needs no file in Test, nor in Online', async () => {
    expect((await load({ env: TEST })).config.env).toBe(1);
    expect((await load({ env: ALL })).config.env).toBe(2);
  });

  test('may be told a part of it on the command line', async () => {
    const env = without(TEST, 'SPUSH_DB_HOST');
    expect((await load({ env, settings: { 'db.host': '10.0.0.9' } })).config.db.host).toBe('10.0.0.9');
  });

  test('may be told Sentinels or a Cluster instead of a host', async () => {
    const env = without(TEST, 'SPUSH_REDIS_HOST');
    expect((await load({ env: { ...env, SPUSH_REDIS_NODES: '["10.0.0.6:6379"]' } })).config.env).toBe(1);
  });
});

describe('keys without which nothing is accepted', () => {
  test('are missed in Test and in Online, each with what it is for and how to make it', async () => {
    const test1 = await faultsOf({ env: { PUSHENV: '1' } });
    const keys = ['db.host', 'redis.host', 'gzcp.verifyUrl', 'redis.busKeys', 'api.keys', 'gzcp.secret'];
    expect(keysOf(test1)).toEqual(keys);
    expect(keysOf(await faultsOf({ env: { PUSHENV: '2' } }))).toEqual([
      ...keys,
      'api.origins',
      'db.password',
    ]);
    for (const { where, key } of test1)
      expect(where).toMatch(new RegExp(`conf/Test/${key?.split('.')[0]}\\.ts$`));
    expect(textOf(test1[4])).toBe(
      'is not set, and this file is missing; at least one key for signed calls, without which every push is answered 401 (make a secret: openssl rand -hex 32), e.g. \'{"gzcp":"…"}\', here or in SPUSH_API_KEYS',
    );
    expect(textOf(test1[5])).toMatch(
      /without which it knows no login key .*openssl.* or in SPUSH_GZCP_SECRET$/,
    );
  });

  test('are one less when a function makes the token', async () => {
    const files = { 'conf/Test/gzcp.ts': 'export default { token: () => "x" };' };
    const faults = await faultsOf({
      files,
      env: without(TEST, 'SPUSH_GZCP_SECRET', 'SPUSH_GZCP_VERIFY_URL'),
    });
    expect(keysOf(faults)).toEqual(['gzcp.verifyUrl']);
    expect(faults[0]?.problem).toBe('is not set');
  });

  test('are none in PUSHENV 0', async () => {
    expect((await load({ env: { SPUSH_DB_HOST: 'db.gzcp.example' } })).config.env).toBe(0);
  });
});

describe('a file that is lost', () => {
  const env = {
    PUSHENV: '1',
    ...SITE,
    SPUSH_API_KEYS: NODE.SPUSH_API_KEYS,
    SPUSH_REDIS_BUS_KEYS: NODE.SPUSH_REDIS_BUS_KEYS,
  };

  test('is none as long as all are there', async () => {
    expect((await load({ files: FILES, env })).config.db.database).toBe('spush_t');
  });

  test('of the database is a fault, as the one of another environment would be used', async () => {
    const [fault, ...others] = await faultsOf({
      files: without(FILES, 'conf/Test/db.ts') as typeof FILES,
      env,
    });
    expect(others).toEqual([]);
    expect(fault?.where).toMatch(/conf\/Test\/db\.ts$/);
    expect(textOf(fault)).toMatch(
      /^is not set, and this file is missing; the file, e\.g\. export default .*spush_test/,
    );
    expect(textOf(fault)).toMatch(/or SPUSH_DB_HOST and SPUSH_DB_DATABASE$/);
    const [half] = await faultsOf({
      files: without(FILES, 'conf/Test/db.ts') as typeof FILES,
      env: { ...env, SPUSH_DB_HOST: 'x' },
    });
    expect(half?.key).toBe('db.database');
  });

  test('of Redis is a fault', async () => {
    const files = without(FILES, 'conf/Test/redis.ts') as typeof FILES;
    expect(keysOf(await faultsOf({ files, env }))).toEqual(['redis.host']);
  });

  test('of the main site or of the callers is one unless its keys are in the environment', async () => {
    const files = without(FILES, 'conf/Test/gzcp.ts', 'conf/Test/api.ts') as typeof FILES;
    expect((await load({ files, env })).config.env).toBe(1);
    const faults = await faultsOf({ files, env: without(env, 'SPUSH_GZCP_VERIFY_URL', 'SPUSH_API_KEYS') });
    expect(faults.map(({ key, problem }) => `${key} ${problem}`)).toEqual([
      'gzcp.verifyUrl is not set, and this file is missing',
      'api.keys is not set, and this file is missing',
    ]);
  });
});

describe('what is left of a sample', () => {
  test.each([
    ['gzcp.verifyUrl', { SPUSH_GZCP_VERIFY_URL: 'https://www.gzcp.example/push/user/getappuid' }],
    ['gzcp.verifyUrl', { SPUSH_GZCP_VERIFY_URL: 'https://www.example.com:8443/push?token=hunter2' }],
    ['db.host', { SPUSH_DB_HOST: 'db.gzcp.example' }],
    ['redis.host', { SPUSH_REDIS_HOST: 'redis.gzcp.example.' }],
    ['redis.nodes', { SPUSH_REDIS_NODES: '["a.example:6379","b.invalid:6379"]' }],
    ['redis.sentinels', { SPUSH_REDIS_SENTINELS: '["a.example:1"]', SPUSH_REDIS_SENTINEL_NAME: 'm' }],
    ['api.origins', { SPUSH_API_ORIGINS: '["https://www.example.com"]' }],
    ['api.keys', { SPUSH_API_KEYS: '{"gzcp":"a long random text"}' }],
    ['api.keys', { SPUSH_API_KEYS: '{"gzcp":"…"}' }],
    ['gzcp.secret', { SPUSH_GZCP_SECRET: '…' }],
    ['db.password', { SPUSH_DB_PASSWORD: '…' }],
    // Copied from what config show prints.
    ['gzcp.secret', { SPUSH_GZCP_SECRET: '***' }],
    ['redis.password', { SPUSH_REDIS_PASSWORD: '***' }],
    ['redis.sentinelPassword', { SPUSH_REDIS_SENTINEL_PASSWORD: '***' }],
  ])('in %s is a fault: %j', async (key, env) => {
    const faults = await faultsOf({ env: { ...ALL, ...env } });
    expect(keysOf(faults)).toEqual([key]);
    expect(textOf(faults[0])).toMatch(/a name out of a sample; .*your|which everybody knows; .*openssl rand/);
    expect(textOf(faults[0])).not.toContain('hunter2');
  });

  test('beside what works is none', async () => {
    const env = { ...ALL, SPUSH_API_ORIGINS: '["https://www.example.com","https://www.gzcp.cn"]' };
    expect((await load({ env })).config.api.origins).toHaveLength(2);
    const name = { ...ALL, SPUSH_DB_HOST: 'myexample.com', SPUSH_REDIS_HOST: 'redis.test' };
    expect((await load({ env: name })).config.db.host).toBe('myexample.com');
  });
});

describe('two things at one port', () => {
  test.each([
    ['redis.port', { SPUSH_REDIS_HOST: '10.0.0.5', SPUSH_REDIS_PORT: '3306' }, 'the port of the database'],
    ['db.port', { SPUSH_DB_HOST: 'localhost', SPUSH_PORT: '3306' }, 'that spush itself listens on'],
    ['redis.port', { SPUSH_REDIS_HOST: '::1', SPUSH_PORT: '6379' }, 'that spush itself listens on'],
    [
      'gzcp.verifyUrl',
      { SPUSH_GZCP_VERIFY_URL: 'http://127.0.0.1/x', SPUSH_PORT: '80' },
      'that spush itself listens on',
    ],
  ])('is a fault of %s: %j', async (key, env, text) => {
    const faults = await faultsOf({ env: { ...TEST, ...env } });
    expect(keysOf(faults)).toEqual([key]);
    expect(textOf(faults[0])).toContain(text);
  });

  test.each([
    ['10.0.0.5', false],
    ['127.0.0.1', true],
    ['localhost', true],
    ['::1', true],
    ['0.0.0.0', true],
    ['::', true],
  ])('is told of a database on this machine when spush listens at %s: %s', async (host, isTold) => {
    const env = { ...TEST, SPUSH_HOST: host, SPUSH_DB_HOST: '127.0.0.1', SPUSH_PORT: '3306' };
    if (isTold) expect(keysOf(await faultsOf({ env }))).toEqual(['db.port']);
    else expect((await load({ env })).config.system.Host).toBe(host);
  });

  test('on two machines is none', async () => {
    const env = { ...TEST, SPUSH_REDIS_PORT: '3306', SPUSH_PORT: '3306' };
    expect((await load({ env })).config.system.Port).toBe(3306);
  });
});

describe('the host of a database, of Redis', () => {
  test.each(['db.prod', '10.0.0.5', '::1', 'fd00::5', 'fe80::1%eth0', 'my_db'])('may be %s', async (host) => {
    const { config } = await load({ env: { ...TEST, SPUSH_DB_HOST: host, SPUSH_REDIS_HOST: host } });
    expect([config.db.host, config.redis.host]).toEqual([host, host]);
  });

  test.each([
    ['SPUSH_DB_HOST', 'mysql://u:hunter2@10.0.0.5'],
    ['SPUSH_DB_HOST', '10.0.0.5:3306'],
    ['SPUSH_DB_HOST', '/run/mysqld.sock'],
    ['SPUSH_REDIS_HOST', 'redis://:hunter2@10.0.0.6:6379/0'],
    ['SPUSH_REDIS_HOST', ''],
    ['SPUSH_REDIS_SENTINELS', '["u:hunter2@10.0.0.6:26379"]'],
  ])('%s cannot be %s, and no password in it is shown', async (name, value) => {
    const faults = await faultsOf({ env: { ...TEST, [name]: value } });
    expect(faults).toMatchObject([{ where: name, expected: expect.stringMatching(/IP address|host:port/) }]);
    expect(JSON.stringify(faults)).not.toContain('hunter2');
  });
});

test('a key that is wrong is not said to be missing too', async () => {
  expect(keysOf(await faultsOf({ env: { ...TEST, SPUSH_API_KEYS: '{"x":hunter2}' } }))).toEqual(['api.keys']);
});

test('a number that JSON has not is shown as it is', async () => {
  const faults = await faultsOf({ env: { SPUSH_MAX_LINK_NUMBER: '9'.repeat(400) } });
  expect(faults[0]?.problem).toBe('is Infinity');
});
