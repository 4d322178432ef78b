import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../../../src/platform/config/load-config.js';
import { tempFolder } from '../../../support/temp-folder.js';
import { BOOTSTRAP, faultsOf, load } from './loading.js';

describe('what keys demand of each other', () => {
  test('the hard mark is above the soft one', async () => {
    const faults = await faultsOf({ env: { SPUSH_OUTBOX_HARD_BYTES: '1000' } });
    expect(faults).toEqual([
      {
        where: 'SPUSH_OUTBOX_HARD_BYTES',
        key: 'OutboxHardBytes',
        problem: 'is 1000',
        expected: 'more than OutboxSoftBytes, which is 262144 (bytes)',
      },
    ]);
  });

  test('the old token counts only from addresses that are named', async () => {
    const key = { SPUSH_API_KEYS: '{"gzcp":"s3cret"}' };
    expect(await faultsOf({ env: { SPUSH_API_LEGACY_TOKEN: 'true', ...key } })).toMatchObject([
      { key: 'api.legacyToken', problem: 'is true and allow is empty' },
    ]);
    const env = { SPUSH_API_LEGACY_TOKEN: 'true', SPUSH_API_ALLOW: '["10.0.0.0/8"]' };
    expect(await faultsOf({ env })).toMatchObject([
      { key: 'api.legacyToken', problem: 'is true and keys is empty' },
    ]);
    expect((await load({ env: { ...env, ...key } })).config.api.legacyToken).toBe(true);
  });

  test('messages live for whole seconds, by which one that was replaced is told from the others', async () => {
    expect(await faultsOf({ env: { SPUSH_EXPIRE_SECONDS: '90.5' } })).toMatchObject([
      { key: 'ExpireSeconds', problem: 'is 90.5', expected: 'a whole number from 1 to 31536000 (s)' },
    ]);
  });

  test('a key that is faulty by itself is not compared', async () => {
    const faults = await faultsOf({ env: { SPUSH_OUTBOX_HARD_BYTES: '-5' } });
    expect(faults).toMatchObject([{ problem: 'is -5' }]);
  });

  test('origins are as browsers send them, or no page could connect', async () => {
    const origins = (...list: string[]) => ({ SPUSH_API_ORIGINS: JSON.stringify(list) });
    for (const [wrong, right] of [
      ['https://www.gzcp.cn/', 'https://www.gzcp.cn'],
      ['https://www.gzcp.cn:443', 'https://www.gzcp.cn'],
      ['https://www.gzcp.cn/push?x=1', 'https://www.gzcp.cn'],
      ['www.gzcp.cn', 'https://www.your-site.com'],
      ['*', 'https://www.your-site.com'],
    ] as const) {
      const [fault, ...others] = await faultsOf({ env: origins('https://m.gzcp.cn', wrong) });
      expect(others).toEqual([]);
      expect(fault).toMatchObject({ key: 'api.origins', problem: `has "${wrong}"` });
      expect(fault?.expected?.endsWith(`such as ${right}`), fault?.expected ?? '').toBe(true);
    }
    const env = origins(
      'https://WWW.gzcp.cn:8443',
      'null',
      'file://',
      'capacitor://localhost',
      'http://[::1]:80801',
    );
    expect(await faultsOf({ env })).toMatchObject([{ problem: 'has "http://[::1]:80801"' }]);
    const right = origins(
      'https://WWW.gzcp.cn:8443',
      'null',
      'file://',
      'capacitor://localhost',
      'http://[::1]:8080',
    );
    expect((await load({ env: right })).config.api.origins).toHaveLength(5);
  });
});

describe('Redis', () => {
  const secret = 'a secret of thirty-two characters';
  const faultOf = async (env: NodeJS.ProcessEnv) => {
    const faults = await faultsOf({ env });
    return faults.map(({ key, problem, expected }) => `${key} ${problem}; ${expected}`).join('\n');
  };

  test('without a key for the bus says how to make one', async () => {
    const faults = await faultsOf({ env: { PUSHENV: '1' } });
    const text = faults.find(({ key }) => key === 'redis.busKeys')?.expected;
    expect(text).toMatch(/openssl rand -hex 32.*SPUSH_REDIS_BUS_KEYS/);
  });

  test('takes Sentinels with a name, a Cluster, and keys for the bus', async () => {
    const { config } = await load({
      env: {
        SPUSH_REDIS_SENTINELS: '["10.0.0.1:26379","[fd00::5]:26379"]',
        SPUSH_REDIS_SENTINEL_NAME: 'mymaster',
        SPUSH_REDIS_BUS_KEYS: JSON.stringify([{ id: 'a', secret }]),
        SPUSH_REDIS_TLS: 'true',
      },
    });
    expect(config.redis).toMatchObject({
      sentinelName: 'mymaster',
      tls: true,
      busKeys: [{ id: 'a', secret }],
    });
    expect((await load({ env: { SPUSH_REDIS_NODES: '["redis-1:6379"]' } })).config.redis.nodes).toEqual([
      'redis-1:6379',
    ]);
  });

  test.each([
    [{ SPUSH_REDIS_SENTINELS: '["a:1"]' }, /redis\.sentinelName is not set; the name/],
    [{ SPUSH_REDIS_SENTINEL_NAME: 'x' }, /redis\.sentinelName is x; sentinels beside it/],
    [
      { SPUSH_REDIS_SENTINELS: '["a:1"]', SPUSH_REDIS_SENTINEL_NAME: 'x', SPUSH_REDIS_NODES: '["a:1"]' },
      /redis\.nodes is set beside sentinels; .*not both/,
    ],
    [{ SPUSH_REDIS_NODES: '["a:1"]', SPUSH_REDIS_DB: '3' }, /redis\.db is 3; 0, as a Cluster/],
    [{ SPUSH_REDIS_NODES: '["a:1"]', SPUSH_REDIS_PREFIX: '{x}:' }, /redis\.prefix is \{x\}:; .*without/],
    [{ SPUSH_REDIS_NODES: '["no port"]' }, /redis\.nodes\[0\] is "no port"; host:port such as/],
    [{ SPUSH_REDIS_NODES: '["a:70000"]' }, /redis\.nodes\[0\] is "a:70000"/],
    [{ SPUSH_REDIS_TLS_CA: 'nowhere.pem' }, /redis\.tlsCa is .*nowhere\.pem, which cannot be read/],
  ])('with %j is a fault', async (env, text) => {
    expect(await faultOf(env)).toMatch(text);
  });

  test('with two keys of one id, or a short secret, is a fault that shows no secret', async () => {
    const keys = (...list: unknown[]) => ({ SPUSH_REDIS_BUS_KEYS: JSON.stringify(list) });
    expect(await faultOf(keys({ id: 'a', secret }, { id: 'a', secret }))).toMatch(/has the id a twice/);
    const short = await faultOf(keys({ id: 'a', secret: 'tooshort' }));
    expect(short).toMatch(/redis\.busKeys\[0\]\.secret .*32/);
    expect(short).not.toContain('tooshort');
  });
});

describe('TLS files', () => {
  const pair = (folder: string, name: string) => {
    const files = { cert: path.join(folder, `${name}.crt`), key: path.join(folder, `${name}.key`) };
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'].concat([
        '-keyout',
        files.key,
        '-out',
        files.cert,
        '-subj',
        '/CN=localhost',
        '-days',
        '2',
      ]),
      { stdio: 'ignore' },
    );
    return files;
  };

  test('a fitting pair is accepted, relative to the root', async () => {
    const root = tempFolder(BOOTSTRAP);
    const { cert, key } = pair(root, 'own');
    const { config } = await loadConfig({
      cwd: root,
      env: { SPUSH_TLS_CERT: 'own.crt', SPUSH_TLS_KEY: key },
    });
    expect(config.system.TlsCert).toBe(cert);
  });

  test('one without the other is a fault', async () => {
    const faults = await faultsOf({ env: { SPUSH_TLS_CERT: 'own.crt' } });
    expect(faults).toMatchObject([{ key: 'TlsKey', problem: 'is not set' }]);
  });

  test('files that cannot be read are faults', async () => {
    const faults = await faultsOf({ env: { SPUSH_TLS_CERT: 'a.crt', SPUSH_TLS_KEY: 'a.key' } });
    expect(faults.map(({ key }) => key)).toEqual(['TlsCert', 'TlsKey']);
    expect(faults[0]?.problem).toContain('cannot be read: ENOENT');
  });

  test('a key of another certificate is a fault', async () => {
    const folder = tempFolder();
    const env = { SPUSH_TLS_CERT: pair(folder, 'a').cert, SPUSH_TLS_KEY: pair(folder, 'b').key };
    const faults = await faultsOf({ env });
    expect(faults).toMatchObject([{ key: 'TlsCert' }]);
    expect(faults[0]?.problem).toContain('does not work with');
  });
});
