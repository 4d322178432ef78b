import { expect, test } from 'vitest';
import { configShow } from '../../../../../src/master/control/commands/config-show.js';
import { LiveConfig } from '../../../../../src/master/live-config.js';
import { changeConfig, setLiveKey } from '../../../../../src/platform/config/config-change.js';
import { readingsOf } from '../../../../../src/platform/config/key-readings.js';
import { type LoadedConfig, loadConfig } from '../../../../../src/platform/config/load-config.js';
import type { ReadAgain } from '../../../../../src/platform/config/read-again.js';
import { tempFolder } from '../../../../support/temp-folder.js';

const NONCE = '0123456789abcdef';

async function loaded(system: string, env: NodeJS.ProcessEnv = {}): Promise<LoadedConfig> {
  const files = {
    'bootstrap.ts': 'export const PUSHENV = 0;',
    'conf/SystemConf.ts': `export default { ${system} };`,
  };
  return loadConfig({ cwd: tempFolder(files), env });
}

/** As if the same process had read it again. */
function readAgain(loaded: LoadedConfig): ReadAgain {
  return { ok: true, loaded };
}

async function ask(live: LiveConfig, again: ReadAgain, here?: LoadedConfig) {
  const show = configShow({ version: '1.2.3', live, readAgain: async () => again });
  const digests =
    here === undefined
      ? {}
      : Object.fromEntries([...readingsOf(here, NONCE)].map(([key, { digest }]) => [key, digest]));
  const answer = await show({ nonce: NONCE, digests }, () => {});
  const key = (name: string) => answer.keys.find((row) => row.key === name);
  return { answer, key };
}

test('says of each key what counts, where it is from, and what would be read now', async () => {
  const env = { SPUSH_PORT: '1' };
  const first = await loaded('MaxLinkNumber: 10, TaskWorkerNum: 2, Port: 5', env);
  const live = new LiveConfig(first, () => {});
  live.setKey('IdleSeconds', (await setLiveKey(live.current, 'IdleSeconds', '99')).config);
  const { key, answer } = await ask(
    live,
    readAgain(await loaded('MaxLinkNumber: 20, TaskWorkerNum: 3, Port: 5', env)),
  );
  expect(answer).toMatchObject({ pid: process.pid, version: '1.2.3', env: 0, fault: null });
  expect(key('MaxLinkNumber')).toMatchObject({
    value: 10,
    from: 'file',
    apply: 'live',
    next: { value: 20, from: 'file' },
  });
  expect(key('TaskWorkerNum')).toMatchObject({ value: 2, apply: 'restart', next: { value: 3 } });
  expect(key('IdleSeconds')).toMatchObject({
    value: 99,
    source: 'config set',
    next: { value: 180, from: 'default' },
  });
  expect(key('Port')).toMatchObject({
    value: 1,
    source: 'SPUSH_PORT',
    next: null,
    inFiles: { value: 5, from: 'file' },
  });
  expect(key('LogLevel')).toMatchObject({ value: 'info', next: null, inFiles: null });
});

test('a reload that applied a key leaves no difference', async () => {
  const live = new LiveConfig(await loaded('MaxLinkNumber: 10'), () => {});
  const again = await loaded('MaxLinkNumber: 20');
  live.reload(changeConfig(live.current, again.config).config, again);
  const { key } = await ask(live, readAgain(again));
  expect(key('MaxLinkNumber')).toMatchObject({ value: 20, from: 'file', next: null, inFiles: null });
});

test('says whether the caller has the same, of secrets too, which are not shown', async () => {
  const live = new LiveConfig(await loaded('', { SPUSH_DB_PASSWORD: 'hunter2' }), () => {});
  const again = readAgain(live.state.loaded);
  const here = await loaded('', { SPUSH_DB_PASSWORD: 'hunter3' });
  const { answer, key } = await ask(live, again, here);
  expect(key('db.password')).toMatchObject({ value: '***', source: 'SPUSH_DB_PASSWORD', same: false });
  expect(key('Port')).toMatchObject({ same: true });
  expect(JSON.stringify(answer)).not.toContain('hunter');
  expect((await ask(live, again)).key('Port')).toMatchObject({ same: null });
});

test('files that cannot be read take only what they would say', async () => {
  const live = new LiveConfig(await loaded('Port: 5', { SPUSH_PORT: '1' }), () => {});
  const fault = { kind: 'refused', text: 'the configuration has 1 fault' } as const;
  const { answer, key } = await ask(live, { ok: false, fault, faults: [] });
  expect(answer.fault).toEqual(fault);
  expect(key('Port')).toMatchObject({ value: 1, next: null, inFiles: { value: 5 } });
});

test('several who ask at once share one reading', async () => {
  const first = await loaded('');
  let readings = 0;
  const show = configShow({
    version: '1.2.3',
    live: new LiveConfig(first, () => {}),
    readAgain: async () => {
      readings += 1;
      return readAgain(first);
    },
  });
  await Promise.all([show({ digests: {} }, () => {}), show({ digests: {} }, () => {})]);
  expect(readings).toBe(1);
  await show({ digests: {} }, () => {});
  expect(readings).toBe(2);
});
