import { describe, expect, it } from 'vitest';
import { changeConfig, setLiveKey } from '../../../../src/platform/config/config-change.js';
import { testConfig } from '../../../support/test-config.js';

describe('a configuration that was loaded again', () => {
  it('gives its live keys; those that need a restart are named and stay', async () => {
    const before = await testConfig({ MaxLinkNumber: '10' });
    const loaded = await testConfig({ MaxLinkNumber: '20', Port: '77', 'api.signatureV1': 'false' });
    const { config, applied, notApplied } = changeConfig(before, { ...loaded, paths: before.paths });
    expect(applied).toEqual(['MaxLinkNumber']);
    expect(notApplied).toEqual(['Port', 'api.signatureV1']);
    expect(config.system).toMatchObject({ MaxLinkNumber: 20, Port: 9501 });
    expect(config.api.signatureV1).toBe(true);
    expect(Object.isFrozen(config.system)).toBe(true);
  });

  it('changes nothing when nothing is different, functions that were read again included', async () => {
    const before = await testConfig();
    const withToken = (): typeof before => ({
      ...before,
      gzcp: { ...before.gzcp, token: (timestamp, loginkey) => timestamp + loginkey },
    });
    expect(changeConfig(withToken(), withToken())).toMatchObject({ applied: [], notApplied: [] });
    const other = { ...before, gzcp: { ...before.gzcp, token: () => 'x' } };
    expect(changeConfig(withToken(), other).notApplied).toEqual(['gzcp.token']);
  });

  it('names PUSHENV when it differs', async () => {
    const before = await testConfig();
    expect(changeConfig(before, { ...before, env: 1 }).notApplied).toEqual(['PUSHENV']);
    expect(changeConfig(before, before, 2).notApplied).toEqual(['PUSHENV']);
  });
});

describe('a live key that is set by hand', () => {
  it('is read as in the environment', async () => {
    const config = await testConfig({ MaxLinkNumber: '10' });
    const changed = await setLiveKey(config, 'MaxLinkNumber', '20000');
    expect(changed).toMatchObject({
      before: 10,
      after: 20_000,
      config: { system: { MaxLinkNumber: 20_000 } },
    });
    expect(await setLiveKey(config, 'VisitorMax', 'null')).toMatchObject({ before: null, after: null });
    expect(await setLiveKey(config, 'TrustedProxies', '["10.0.0.0/8"]')).toMatchObject({
      after: ['10.0.0.0/8'],
    });
    expect(config.system.MaxLinkNumber).toBe(10);
  });

  it('must be a key, with the nearest names in the answer', async () => {
    await expect(setLiveKey(await testConfig(), 'MaxLinkNumbr', '1')).rejects.toMatchObject({
      code: 'CONFIG_KEY_UNKNOWN',
      message:
        'MaxLinkNumbr is not a key of the configuration. Did you mean MaxLinkNumber? spush config show lists all',
    });
  });

  it('must not need a restart', async () => {
    await expect(setLiveKey(await testConfig(), 'TaskWorkerNum', '4')).rejects.toMatchObject({
      code: 'CONFIG_KEY_RESTART',
      message:
        'TaskWorkerNum takes effect with a start only: set it in its file or as SPUSH_TASK_WORKER_NUM, then spush server restart',
    });
  });

  it.each([
    [
      'MaxLinkNumber',
      'many',
      'config set: MaxLinkNumber is "many"; expected a whole number from 1 to 10000000',
    ],
    ['MaxLinkNumber', '0', 'config set: MaxLinkNumber is 0; expected a whole number from 1 to 10000000'],
    ['Deliver', '{', 'config set: Deliver is not JSON: {'],
    ['OutboxHardBytes', '1', 'config set: OutboxHardBytes is 1; expected more than OutboxSoftBytes'],
    ['TlsKey', '/nowhere/key.pem', 'TlsCert is not set; expected the path of a PEM file, as TlsKey is set'],
  ])('must have a value that fits: %s %s', async (key, value, text) => {
    const setting = setLiveKey(await testConfig(), key, value);
    await expect(setting).rejects.toMatchObject({ code: 'CONFIG_VALUE_INVALID' });
    await expect(setting).rejects.toThrow(text);
  });

  it('never shows a secret', async () => {
    const setting = setLiveKey(await testConfig(), 'db.password', 'hunter2');
    await expect(setting).rejects.not.toThrow('hunter2');
  });
});
