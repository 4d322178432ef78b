/** The files operators start from: they load, they name every key, and what they say of the defaults is true. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ConfigFault } from '../../../../src/platform/config/config-fault.js';
import { readConf } from '../../../../src/platform/config/config-file.js';
import { keysOf } from '../../../../src/platform/config/config-keys.js';
import { loadConfig } from '../../../../src/platform/config/load-config.js';
import { PACKAGE_ROOT } from '../../../../src/platform/program/program-files.js';
import { isSpushError } from '../../../../src/shared/base/errors.js';

const load = (env: NodeJS.ProcessEnv) => loadConfig({ cwd: PACKAGE_ROOT, env });

const SECRETS = {
  SPUSH_API_KEYS: '{"gzcp":"5f0c"}',
  SPUSH_DB_PASSWORD: 'a',
  SPUSH_GZCP_SECRET: 'b',
  SPUSH_REDIS_BUS_KEYS: '[{"id":"a","secret":"a long random text of thirty-two characters"}]',
};
const VERIFY_URL = { SPUSH_GZCP_VERIFY_URL: 'https://www.gzcp.cn/push/user/getappuid' };
const PLACES = {
  ...VERIFY_URL,
  SPUSH_DB_HOST: 'db.gzcp.cn',
  SPUSH_REDIS_HOST: 'redis.gzcp.cn',
  SPUSH_API_ORIGINS: '["https://www.gzcp.cn"]',
};

async function faultyKeys(env: NodeJS.ProcessEnv): Promise<unknown> {
  const error = await load(env).catch((thrown: unknown) => thrown);
  if (!isSpushError(error, 'CONFIG_INVALID')) throw new Error('it was accepted', { cause: error });
  return (error.detail['faults'] as readonly ConfigFault[]).map(({ key }) => key);
}

describe('the shipped files', () => {
  test('are for PUSHENV 0', async () => {
    expect((await load({})).config.env).toBe(0);
  });

  test('are right for Test and Online once the secrets and the places of the site are in the environment', async () => {
    expect((await load({ ...SECRETS, ...PLACES, PUSHENV: '2' })).config.db.database).toBe('spush');
    // Database and Redis of Test are on this machine, and may be.
    const testing = await load({ ...SECRETS, ...VERIFY_URL, PUSHENV: '1' });
    expect(testing.config.db.database).toBe('spush_test');
  });

  test('name the paths of the main site', async () => {
    const pathIn = async (folder: string) => {
      const conf = await readConf(path.join(PACKAGE_ROOT, 'conf', folder, 'gzcp.ts'));
      return conf.state === 'read' ? new URL(String(conf.values['verifyUrl'])).pathname : conf.state;
    };
    expect([await pathIn('Test'), await pathIn('Online')]).toEqual([
      '/login/pushMsgLogin',
      '/push/user/getappuid',
    ]);
  });

  test('do not start with the places that they show', async () => {
    expect(await faultyKeys({ ...SECRETS, PUSHENV: '1' })).toEqual(['gzcp.verifyUrl']);
    expect(await faultyKeys({ ...SECRETS, PUSHENV: '2' })).toEqual([
      'gzcp.verifyUrl',
      'db.host',
      'redis.host',
      'api.origins',
    ]);
  });

  test('do not start without the secrets', async () => {
    expect(await faultyKeys({ ...VERIFY_URL, PUSHENV: '1' })).toEqual([
      'redis.busKeys',
      'api.keys',
      'gzcp.secret',
    ]);
    expect(await faultyKeys({ ...PLACES, PUSHENV: '2' })).toEqual([
      'redis.busKeys',
      'api.keys',
      'gzcp.secret',
      'db.password',
    ]);
  });

  test.each(['db', 'redis', 'gzcp', 'api'])('%s.ts has the same keys in Test and in Online', async (name) => {
    const keys = async (folder: string) => {
      const conf = await readConf(path.join(PACKAGE_ROOT, 'conf', folder, `${name}.ts`));
      return conf.state === 'read' ? Object.keys(conf.values) : conf.state;
    };
    expect(await keys('Test')).toEqual(await keys('Online'));
  });

  test('SystemConf.ts names every key, with its default', () => {
    const text = readFileSync(path.join(PACKAGE_ROOT, 'conf/SystemConf.ts'), 'utf8');
    const written = new Map(
      [...text.matchAll(/^ {2}(?:\/\/ )?([A-Z]\w+): (.*),$/gm)].map(([, name, value]) => [name, value ?? '']),
    );
    const keys = keysOf('system');
    expect([...written.keys()].sort()).toEqual(keys.map(({ name }) => name).sort());
    for (const { name, schema } of keys) {
      // They depend on the machine: the file names examples.
      if (name === 'WorkerNum' || name === 'NodeName') continue;
      expect(`${name} ${JSON.stringify(literal(written.get(name) ?? ''))}`).toBe(
        `${name} ${JSON.stringify(schema.parse(undefined))}`,
      );
    }
  });
});

/** The few literals of TypeScript that the file uses. */
function literal(text: string): unknown {
  const json = text
    .replaceAll("'", '"')
    .replace(/(?<=\d)_(?=\d)/g, '')
    .replace(/(\w+): /g, '"$1": ');
  return JSON.parse(json.replace(/^\{ /, '{').replace(/ \}$/, '}'));
}
