/**
 * How long a command waits for a running server follows from the configuration of that server, which is not always that of
 * the files: `config set` may have changed it, and the server may have been started from another shell. So the master says
 * it. Only for a master that does not say it (it does not answer, or is of an earlier version) the files count, and where
 * these are faulty the default: a fault in a file must not keep anybody from stopping or asking a server that runs.
 */
import { systemSchema } from '../platform/config/config-schema.js';
import { loadConfig } from '../platform/config/load-config.js';
import { isSpushError } from '../shared/base/errors.js';
import type { ControlData } from '../shared/protocol/control-commands.js';
import type { CliContext } from './action.js';

export type WaitKey = 'StopSeconds' | 'TaskSeconds';

/** What the master answered to `ping`; null when it did not answer. */
export type Pong = Pick<ControlData<'ping'>, 'seconds'> | null;

export async function runningMs(
  context: CliContext,
  mode: string,
  pong: Pong,
  key: WaitKey,
): Promise<number> {
  const said = pong?.seconds?.[key];
  return said === undefined ? configuredMs(context, mode, key) : toMs(said);
}

/** What a server has that is started from here, or that reads the files again. */
export async function configuredMs({ cwd, env }: CliContext, mode: string, key: WaitKey): Promise<number> {
  try {
    return toMs((await loadConfig({ cwd, env, mode })).config.system[key]);
  } catch (error) {
    // USAGE: a name that an earlier version took for a mode.
    if (!isSpushError(error, 'CONFIG_INVALID') && !isSpushError(error, 'USAGE')) throw error;
    return toMs(systemSchema.shape[key].parse(undefined));
  }
}

function toMs(seconds: number): number {
  return Math.round(seconds * 1000);
}
