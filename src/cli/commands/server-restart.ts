/**
 * `spush server restart`: stop, then start. Not started when the stop failed; started with a note when nothing ran. A
 * server that ran in the background starts there again, unless -d or -d=false says otherwise; what it was given with
 * --port, --host and --set is kept, unless it is given anew.
 */
import { readlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { locatePaths } from '../../platform/config/config-paths.js';
import type { Paths } from '../../platform/config/config-schema.js';
import { loadConfig } from '../../platform/config/load-config.js';
import { readInstance } from '../../platform/instance/instance-file.js';
import { isSpushError } from '../../shared/base/errors.js';
import type { ControlData } from '../../shared/protocol/control-commands.js';
import type { CliAction, CliContext, GivenOptions } from '../action.js';
import { askMaster } from '../master-call.js';
import { progressOf } from '../progress.js';
import { loadOptionsOf, modeOf } from '../start-options.js';
import { serverStart, startServer } from './server-start.js';
import { stoppedText, stopServer } from './server-stop.js';

export const serverRestart: CliAction = {
  name: 'restart',
  doc: 'stop, then start; not started when the stop failed',
  options: [
    ...serverStart.options,
    { name: 'force', kind: 'flag', label: '-force', doc: 'kill instead of stopping' },
  ],
  run: async (context, given) => {
    const started = await askHowStarted(context, given);
    const options = withSettings(given, started.settings ?? {});
    // A fault found after the stop would leave nothing running.
    await loadConfig(loadOptionsOf(context, options));
    const mode = modeOf(options);
    const paths = locatePaths({ cwd: context.cwd, env: context.env, mode });
    const detached = options.flag('d') ?? started.background ?? (await ranInBackground(paths));
    await stopFirst(context, options);
    return startServer(context, options, { detached });
  },
};

/** How the running server was started; nothing when none runs, or none answers. */
async function askHowStarted(
  context: CliContext,
  options: GivenOptions,
): Promise<Pick<ControlData<'ping'>, 'settings' | 'background'>> {
  try {
    return await askMaster(context, options, 'ping', {});
  } catch (error) {
    // Not running, suspended, not ours: the stop says so.
    if (isSpushError(error)) return {};
    throw error;
  }
}

/** The options as given, over those of the running server. */
function withSettings(given: GivenOptions, settings: Record<string, string>): GivenOptions {
  const kept = Object.entries(settings)
    .filter(([key]) => !(key === 'Port' && given.value('port')) && !(key === 'Host' && given.value('host')))
    .map(([key, text]) => `${key}=${text}`);
  return {
    flag: (name) => given.flag(name),
    value: (name) => given.value(name),
    values: (name) => (name === 'set' ? [...kept, ...given.values(name)] : given.values(name)),
    words: given.words,
  };
}

async function stopFirst(context: CliContext, options: GivenOptions): Promise<void> {
  const tell = progressOf(context, options);
  try {
    tell(stoppedText(await stopServer(context, options)));
  } catch (error) {
    if (!isSpushError(error, 'NOT_RUNNING')) throw error;
    tell(`${error.message}; starting it`);
  }
}

/** Of a master that does not say it: in the background it writes to its log, in the foreground to a terminal or a pipe. */
async function ranInBackground(paths: Paths): Promise<boolean> {
  const instance = await readInstance(paths);
  if (instance.state !== 'running') return false;
  try {
    return dirname(await readlink(`/proc/${instance.pid}/fd/1`)) === paths.log;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // It ended meanwhile, or is of another user, which the stop will say.
    if (code === 'ENOENT' || code === 'EACCES') return false;
    throw error;
  }
}
