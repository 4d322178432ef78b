/** Loads a configuration from files and variables that a test writes down. */
import { expect } from 'vitest';
import type { ConfigFault } from '../../../../src/platform/config/config-fault.js';
import { type LoadOptions, loadConfig } from '../../../../src/platform/config/load-config.js';
import { isSpushError } from '../../../../src/shared/base/errors.js';
import { tempFolder } from '../../../support/temp-folder.js';

export const BOOTSTRAP = { 'bootstrap.ts': 'export const PUSHENV = 0;\n' };

/** What a node of PUSHENV 1 without any file in conf/Test/ needs, the secret and the address of the main site left out. */
export const NODE = {
  SPUSH_DB_HOST: '10.0.0.5',
  SPUSH_DB_DATABASE: 'spush_t',
  SPUSH_REDIS_HOST: '10.0.0.6',
  SPUSH_REDIS_BUS_KEYS: `[{"id":"a","secret":"${'x'.repeat(32)}"}]`,
  SPUSH_API_KEYS: '{"a":"b"}',
};
/** The rest of it. */
export const SITE = { SPUSH_GZCP_VERIFY_URL: 'http://10.0.0.7/verify', SPUSH_GZCP_SECRET: 'c' };
/** What PUSHENV 2 needs beside it. */
export const ONLINE = { SPUSH_DB_PASSWORD: 'd', SPUSH_API_ORIGINS: '["https://www.gzcp.cn"]' };

export interface Loading extends Partial<LoadOptions> {
  readonly files?: Readonly<Record<string, string>>;
}

export function load({ files = {}, ...options }: Loading = {}) {
  const root = tempFolder({ ...BOOTSTRAP, ...files });
  return loadConfig({ cwd: root, env: {}, ...options });
}

export async function faultsOf(loading: Loading): Promise<readonly ConfigFault[]> {
  const error = await load(loading).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!isSpushError(error, 'CONFIG_INVALID')) throw new Error('it was accepted', { cause: error });
  expect(error.exitCode).toBe(78);
  return error.detail['faults'] as readonly ConfigFault[];
}
