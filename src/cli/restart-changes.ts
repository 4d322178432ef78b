/**
 * What a restart from this shell changes and no file says: variables count as they are in the shell of the restart, and what
 * was set with `config set` is forgotten. Somebody who restarts from another shell does not know what the first one had.
 */
import { describeConfig } from '../platform/config/describe-config.js';
import type { LoadedConfig } from '../platform/config/load-config.js';
import type { RunningKey } from '../shared/protocol/control-commands.js';
import type { CliContext, GivenOptions } from './action.js';
import { configValue } from './config-value.js';
import { digestsOf } from './load-here.js';
import { askRunningConfig } from './running-config.js';

/** Lines to be told before the stop; none when nothing changes, or when the server cannot be asked. */
export async function restartChanges(
  context: CliContext,
  options: GivenOptions,
  loaded: LoadedConfig,
): Promise<string[]> {
  const running = await askRunningConfig(context, options, digestsOf(loaded));
  if (running.state !== 'answered') return [];
  const here = new Map(describeConfig(loaded).map((row) => [row.key, row]));
  const lines = running.keys.flatMap((now) => {
    const row = here.get(now.key);
    const reason = row === undefined ? null : reasonOf(now, loaded);
    // PUSHENV has been agreed to.
    if (row === undefined || reason === null || now.key === 'PUSHENV') return [];
    const [before, after] = [configValue(now.value, row.unit), configValue(row.value, row.unit)];
    const change = before === after ? 'another value' : `${before || 'nothing'} → ${after || 'nothing'}`;
    return [`  ${now.key}: ${change} (${reason})`];
  });
  return lines.length === 0 ? [] : ['note: this restart also changes', ...lines];
}

/** Null: the value stays, or a file or the command line says otherwise, as whoever wrote it knows. */
function reasonOf({ key, same, from, source }: RunningKey, { sources }: LoadedConfig): string | null {
  if (same !== false) return null;
  const here = sources.get(key);
  const variable = here?.kind === 'environment' ? here.name : null;
  if (here?.kind === 'commandLine') return null;
  if (from === 'configSet') return 'it was set with "spush config set"';
  if (from === 'environment' && variable === null)
    return `${source} was set where the server was started, and is not set here`;
  return variable === null ? null : `${variable} says so here`;
}
