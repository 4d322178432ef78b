/** The files operators start from: they load, they name every key, and what they say of the defaults is true. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { readConf } from '../../../../src/platform/config/config-file.js';
import { keysOf } from '../../../../src/platform/config/config-keys.js';
import { PACKAGE_ROOT } from '../../../../src/platform/config/config-paths.js';
import { loadConfig } from '../../../../src/platform/config/load-config.js';

const load = (env: NodeJS.ProcessEnv) => loadConfig({ cwd: PACKAGE_ROOT, env });

const SECRETS = {
  SPUSH_API_KEYS: '{"gzcp":"a long random text"}',
  SPUSH_DB_PASSWORD: 'a',
  SPUSH_GZCP_SECRET: 'b',
  SPUSH_REDIS_BUS_KEYS: '[{"id":"a","secret":"a long random text of thirty-two characters"}]',
};

describe('the shipped files', () => {
  test('are for PUSHENV 0', async () => {
    expect((await load({})).config.env).toBe(0);
  });

  test('are right for Test and Online once the secrets are in the environment', async () => {
    const online = await load({ ...SECRETS, PUSHENV: '2' });
    expect(new URL(online.config.gzcp.verifyUrl ?? '').pathname).toBe('/push/user/getappuid');
    const testing = await load({ ...SECRETS, PUSHENV: '1' });
    expect(new URL(testing.config.gzcp.verifyUrl ?? '').pathname).toBe('/login/pushMsgLogin');
  });

  test('of Online do not start without the secrets', async () => {
    await expect(load({ PUSHENV: '2' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
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
