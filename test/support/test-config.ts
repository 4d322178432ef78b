/** A configuration of defaults, loaded from a folder of its own. */

import type { Config } from '../../src/platform/config/config-schema.js';
import { type LoadedConfig, loadConfig } from '../../src/platform/config/load-config.js';
import { tempFolder } from './temp-folder.js';

/** @param settings by path of the key, as on the command line. */
export async function testConfig(settings: Readonly<Record<string, string>> = {}): Promise<Config> {
  return (await testLoaded(settings)).config;
}

/** The same, with where it came from. */
export async function testLoaded(settings: Readonly<Record<string, string>> = {}): Promise<LoadedConfig> {
  const root = tempFolder({ 'bootstrap.ts': 'export const PUSHENV = 0;' });
  const env = { SPUSH_ROOT: root, SPUSH_HOME: root, PUSHENV: '0' };
  return loadConfig({ cwd: root, env, mode: 'm', settings });
}
