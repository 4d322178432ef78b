/**
 * How long a command waits for a running server follows from its configuration. A fault in a file must not keep anybody
 * from stopping or asking a server that runs: then the key's default counts.
 */
import { systemSchema } from '../platform/config/config-schema.js';
import { loadConfig } from '../platform/config/load-config.js';
import { isSpushError } from '../shared/base/errors.js';
import type { CliContext } from './action.js';

export async function configuredSeconds(
  { cwd, env }: CliContext,
  mode: string,
  key: 'StopSeconds' | 'TaskSeconds',
): Promise<number> {
  try {
    return (await loadConfig({ cwd, env, mode })).config.system[key];
  } catch (error) {
    // USAGE: a name that an earlier version took for a mode.
    if (!isSpushError(error, 'CONFIG_INVALID') && !isSpushError(error, 'USAGE')) throw error;
    return systemSchema.shape[key].parse(undefined);
  }
}
