/** A configuration of defaults, loaded from a folder of its own. */

import type { Config } from '../../src/platform/config/config-schema.js';
import { loadConfig } from '../../src/platform/config/load-config.js';
import { tempFolder } from './temp-folder.js';

/** @param settings by path of the key, as on the command line. */
export async function testConfig(settings: Readonly<Record<string, string>> = {}): Promise<Config> {
  const root = tempFolder({ 'bootstrap.ts': 'export const PUSHENV = 0;' });
  const env = { SPUSH_ROOT: root, SPUSH_HOME: root, PUSHENV: '0' };
  return (await loadConfig({ cwd: root, env, mode: 'm', settings })).config;
}
