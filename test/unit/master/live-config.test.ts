import { expect, test } from 'vitest';
import { LiveConfig } from '../../../src/master/live-config.js';
import { changeConfig } from '../../../src/platform/config/config-change.js';
import type { LoadedConfig } from '../../../src/platform/config/load-config.js';
import { loadConfig } from '../../../src/platform/config/load-config.js';
import { tempFolder } from '../../support/temp-folder.js';

async function loaded(system: string, env: NodeJS.ProcessEnv = {}): Promise<LoadedConfig> {
  const files = {
    'bootstrap.ts': 'export const PUSHENV = 0;',
    'conf/SystemConf.ts': `export default { ${system} };`,
  };
  return loadConfig({ cwd: tempFolder(files), env });
}

function reload(live: LiveConfig, again: LoadedConfig): void {
  live.reload(changeConfig(live.current, again.config).config, again);
}

test('where a value came from follows the value: what needs a restart keeps both', async () => {
  const live = new LiveConfig(await loaded('', { SPUSH_PORT: '1', SPUSH_STOP_SECONDS: '3' }), () => {});
  const again = await loaded('Port: 2, StopSeconds: 4');
  reload(live, again);
  expect(live.current.system).toMatchObject({ Port: 1, StopSeconds: 4 });
  expect(live.state.sources.get('Port')).toEqual({ kind: 'environment', name: 'SPUSH_PORT' });
  expect(live.state.sources.get('StopSeconds')).toMatchObject({ kind: 'file' });
});

test('what was set by hand is known until the files are read again', async () => {
  const told: number[] = [];
  const first = await loaded('');
  const live = new LiveConfig(first, ({ system }) => told.push(system.MaxLinkNumber));
  const { current } = live;
  live.setKey('MaxLinkNumber', { ...current, system: { ...current.system, MaxLinkNumber: 7 } });
  const source = () => live.state.sources.get('MaxLinkNumber')?.kind;
  expect(source()).toBe('configSet');
  const before = live.state;
  reload(live, first);
  expect(source()).toBe('default');
  live.goBackTo(before);
  expect(source()).toBe('configSet');
  expect(told).toEqual([7, 10_000, 7]);
});

test('whether there are own jobs or tasks follows what was read last', async () => {
  const hooks = (text: string) => loadConfig({ cwd: tempFolder({ 'bootstrap.ts': text }), env: {} });
  const [without, withTask] = [
    await hooks('export const PUSHENV = 0;'),
    await hooks('export const PUSHENV = 0; export const tasks = [{ name: "a", run() {} }];'),
  ];
  const live = new LiveConfig(without, () => {});
  const before = live.state;
  expect(live.hasHooks).toBe(false);
  reload(live, withTask);
  expect(live.hasHooks).toBe(true);
  live.goBackTo(before);
  expect(live.hasHooks).toBe(false);
});
