import { describe, expect, test } from 'vitest';
import { readEnvironment, readOverrides } from '../../../../src/platform/config/config-env.js';
import { faultText } from '../../../../src/platform/config/config-fault.js';
import { CONFIG_KEYS } from '../../../../src/platform/config/config-keys.js';

const readValue = (env: NodeJS.ProcessEnv) => readEnvironment(env).settings[0]?.value;
const faultsOf = (env: NodeJS.ProcessEnv) => readEnvironment(env).faults.map(faultText);

describe('names', () => {
  test('are SPUSH_ and the path of the key in capitals', () => {
    const names = Object.fromEntries(CONFIG_KEYS.map(({ path, envName }) => [path, envName]));
    expect(names).toMatchObject({
      MaxLinkNumber: 'SPUSH_MAX_LINK_NUMBER',
      WorkerNum: 'SPUSH_WORKER_NUM',
      'gzcp.verifyUrl': 'SPUSH_GZCP_VERIFY_URL',
      'api.keys': 'SPUSH_API_KEYS',
      'gzcp.deadlineMs': 'SPUSH_GZCP_DEADLINE_MS',
    });
  });

  test('are all different', () => {
    expect(new Set(CONFIG_KEYS.map(({ envName }) => envName)).size).toBe(CONFIG_KEYS.length);
  });
});

describe('values', () => {
  test.each([
    [{ SPUSH_PORT: '80' }, 80],
    [{ SPUSH_IDLE_SECONDS: '0.5' }, 0.5],
    [{ SPUSH_API_LEGACY_TOKEN: 'true' }, true],
    [{ SPUSH_API_LEGACY_TOKEN: '0' }, false],
    [{ SPUSH_VISITOR_MAX: 'null' }, null],
    [{ SPUSH_TLS_CERT: '/etc/x.pem' }, '/etc/x.pem'],
    [{ SPUSH_TLS_CERT: 'null' }, null],
    [{ SPUSH_DB_PASSWORD: 'null' }, 'null'],
    [{ SPUSH_DB_PASSWORD: '' }, ''],
    [{ SPUSH_DB_PASSWORD: '123' }, '123'],
    [{ SPUSH_TRUSTED_PROXIES: '["10.0.0.1"]' }, ['10.0.0.1']],
    [{ SPUSH_DELIVER: '{"comment":"cron"}' }, { comment: 'cron' }],
    // Left as text, for the schema to refuse with the value as it was written.
    [{ SPUSH_PORT: '' }, ''],
    [{ SPUSH_PORT: '0x50' }, '0x50'],
    [{ SPUSH_API_LEGACY_TOKEN: 'maybe' }, 'maybe'],
  ])('%j is read as %j', (env, value) => {
    expect(readEnvironment(env).faults).toEqual([]);
    expect(readValue(env)).toEqual(value);
  });

  test('a function can only be set in its file', () => {
    expect(faultsOf({ SPUSH_GZCP_TOKEN: '() => 1' })[0]).toContain('can only be set in its file');
    expect(readValue({ SPUSH_GZCP_TOKEN: 'null' })).toBeNull();
  });
});

describe('unknown variables', () => {
  test.each([
    ['SPUSH_MAX_LINK_NUMBR', 'SPUSH_MAX_LINK_NUMBER'],
    ['SPUSH_MAXLINKNUMBER', 'SPUSH_MAX_LINK_NUMBER'],
    ['SPUSH_PORTS', 'SPUSH_PORT'],
    ['SPUSH_PROT', 'SPUSH_PORT'],
    ['SPUSH_HSOT', 'SPUSH_HOST'],
    ['SPUSH_WROKER_NUM', 'SPUSH_WORKER_NUM'],
    ['SPUSH_HOMES', 'SPUSH_HOME'],
    ['SPUSH_GZCP_VERIFYURL', 'SPUSH_GZCP_VERIFY_URL'],
    ['SPUSH_PUSHENV', 'PUSHENV'],
  ])('%s looks like a misspelt %s', (name, meant) => {
    expect(faultsOf({ [name]: '1' })).toEqual([`${name}: is not known. Did you mean ${meant}?`]);
  });

  test.each([
    'SPUSH_TEST_PORT',
    'SPUSH_RELEASE',
    'SPUSH_DEPLOY_USER',
    'SPUSH',
    'PORT',
    'SPUSH_IMAGE_TAG',
  ])('%s is none of our business', (name) => {
    expect(faultsOf({ [name]: '1' })).toEqual([]);
  });
});

describe('the command line', () => {
  test('takes keys by their path', () => {
    const { settings, faults } = readOverrides({ Port: '1', 'gzcp.deadlineMs': '2' });
    expect(faults).toEqual([]);
    expect(settings.map(({ key, value }) => [key.path, value])).toEqual([
      ['Port', 1],
      ['gzcp.deadlineMs', 2],
    ]);
  });

  test('refuses an unknown key with the nearest', () => {
    expect(readOverrides({ 'gzcp.deadline': '2' }).faults.map(faultText)).toEqual([
      'command line: gzcp.deadline is not a known key. Did you mean gzcp.deadlineMs?',
    ]);
  });
});
