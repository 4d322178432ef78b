/** Loads a configuration from files and variables that a test writes down. */
import { expect } from 'vitest';
import type { ConfigFault } from '../../../../src/platform/config/config-fault.js';
import { type LoadOptions, loadConfig } from '../../../../src/platform/config/load-config.js';
import { isSpushError } from '../../../../src/shared/base/errors.js';
import { tempFolder } from '../../../support/temp-folder.js';

export const BOOTSTRAP = { 'bootstrap.ts': 'export const PUSHENV = 0;\n' };

/** What PUSHENV 1 and 2 need beside what a test is about. */
export const BUS_KEYS = { SPUSH_REDIS_BUS_KEYS: `[{"id":"a","secret":"${'x'.repeat(32)}"}]` };

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
