/** `spush server start`: in the foreground, or with -d in the background; the banner comes when everything listens. */
import type { Config } from '../../platform/config/config-schema.js';
import { type LoadedConfig, loadConfig } from '../../platform/config/load-config.js';
import { alreadyRunning, readInstance } from '../../platform/instance/instance-file.js';
import type { MasterInfo } from '../../platform/instance/run-master.js';
import { EXIT } from '../../shared/base/errors.js';
import { type CliAction, type CliContext, type GivenOptions, JSON_OPTION } from '../action.js';
import { banner } from '../banner.js';
import { startDetached } from '../detached-start.js';
import { loadOptionsOf, START_OPTIONS, startArguments } from '../start-options.js';

export const serverStart: CliAction = {
  name: 'start',
  doc: 'start the server; in the foreground without -d',
  options: [
    { name: 'd', kind: 'flag', label: '-d', doc: 'in the background; returns when every Worker listens' },
    ...START_OPTIONS,
    JSON_OPTION,
  ],
  run: (context, options) => startServer(context, options, { detached: options.flag('d') === true }),
};

export async function startServer(
  context: CliContext,
  options: GivenOptions,
  { detached }: { detached: boolean },
): Promise<number> {
  const loadOptions = loadOptionsOf(context, options);
  const loaded = await loadConfig(loadOptions);
  await refuseSecondStart(loaded.config);
  const announce = (info: MasterInfo) => printStarted(context, options, { loaded, info, detached });
  if (!detached) {
    const { runMaster, version, terminal } = context;
    return runMaster({
      config: loaded.config,
      loadOptions,
      version,
      console: terminal.logConsole,
      onReady: announce,
    });
  }
  const info = await startDetached({
    mainFile: context.mainFile,
    mode: loaded.config.mode,
    args: startArguments(options),
    cwd: context.cwd,
    env: context.env,
    logFile: loaded.config.paths.logFile,
    deadlineMs: context.patience.startMs,
  });
  announce(info);
  return EXIT.done;
}

/** Only a quick answer: of two that start at the same moment the master itself lets one through. */
async function refuseSecondStart({ paths }: Config): Promise<void> {
  const instance = await readInstance(paths);
  if (instance.state === 'running') throw alreadyRunning(paths, instance.pid);
}

function printStarted(
  { terminal, version }: CliContext,
  options: GivenOptions,
  { loaded, info, detached }: { loaded: LoadedConfig; info: MasterInfo; detached: boolean },
): void {
  const { mode, paths } = loaded.config;
  for (const text of info.warnings) terminal.printError(`warning: ${text}`);
  if (options.flag('json')) {
    const { pid, listen, warnings } = info;
    terminal.printJson({ mode, pid, listen, warnings });
    return;
  }
  terminal.print(banner({ loaded, info, version, paint: terminal.paint }));
  const where = detached ? `in the background, log ${paths.logFile}` : 'in the foreground, Ctrl+C stops it';
  terminal.print(terminal.paint('boldGreen', `server start as pid ${info.pid}, ${where}`));
}
