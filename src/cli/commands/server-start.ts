/** `spush server start`: in the foreground, or with -d in the background; the banner comes when everything listens. */
import type { Config, Paths } from '../../platform/config/config-schema.js';
import type { LoadedConfig } from '../../platform/config/load-config.js';
import { refuseHomeOfOthers, rootWarning } from '../../platform/config/usable-home.js';
import { alreadyRunning, readInstance } from '../../platform/instance/instance-file.js';
import type { MasterInfo } from '../../platform/instance/run-master.js';
import { descriptorLimit } from '../../platform/limits/descriptors.js';
import { EXIT } from '../../shared/base/errors.js';
import { type CliAction, type CliContext, type GivenOptions, JSON_OPTION } from '../action.js';
import { loadInSameEnvironment, locatedPaths, YES_OPTION } from '../agree-to-environment.js';
import { banner, startedText } from '../banner.js';
import { startDetached } from '../detached-start.js';
import { refuseInForeignCluster } from '../foreign-cluster.js';
import { refuseTakenPort } from '../port-check.js';
import { loadOptionsOf, modeOf, START_OPTIONS } from '../start-options.js';

export const serverStart: CliAction = {
  name: 'start',
  doc: 'start the server; in the foreground without -d',
  saidAs: ['run', 'up'],
  options: [
    {
      name: 'd',
      kind: 'flag',
      label: '-d',
      doc: 'in the background; returns when every Worker listens',
      aliases: ['daemon'],
    },
    ...START_OPTIONS,
    YES_OPTION,
    JSON_OPTION,
  ],
  run: async (context, options) => {
    const { cwd, env } = context;
    const paths = locatedPaths({ cwd, env, mode: modeOf(options) });
    if (paths !== null) {
      await refuseSecondStart(paths);
      refuseHomeOfOthers(paths);
    }
    const loaded = await loadInSameEnvironment(context, options, {
      action: 'start',
      running: null,
      typed: options,
    });
    const detached = options.flag('d') === true;
    if (!detached) refuseInForeignCluster();
    await refusePort(loaded.config);
    return startServer(context, options, { loaded, detached });
  },
};

/** What keeps it from starting has been looked for: by a start here, by a restart before its stop. */
export async function startServer(
  context: CliContext,
  options: GivenOptions,
  { loaded, detached }: { loaded: LoadedConfig; detached: boolean },
): Promise<number> {
  const loadOptions = loadOptionsOf(context, options);
  const { config } = loaded;
  const byRoot = rootWarning(config.paths);
  const announce = (info: MasterInfo): void => {
    const warnings = byRoot === null ? info.warnings : [byRoot, ...info.warnings];
    printStarted(context, options, { config, info: { ...info, warnings }, detached });
  };
  if (!detached) {
    const { runMaster, version, launchPath, terminal } = context;
    return runMaster({
      ...loaded,
      loadOptions,
      version,
      launchPath,
      console: terminal.logConsole,
      onReady: announce,
    });
  }
  const info = await startDetached({
    mainFile: context.mainFile,
    launchPath: context.launchPath,
    mode: config.mode,
    settings: loadOptions.settings ?? {},
    // Nothing is relative to a folder that has been removed.
    cwd: context.cwd ?? config.paths.root,
    env: context.env,
    logFile: config.paths.logFile,
    deadlineMs: context.patience.startMs,
  });
  announce(info);
  return EXIT.done;
}

/** Only a quick answer: of two that start at the same moment the master itself lets one through. */
async function refuseSecondStart(paths: Paths): Promise<void> {
  const instance = await readInstance(paths);
  if (instance.state === 'running') throw alreadyRunning(paths, instance.pid);
}

async function refusePort(config: Config): Promise<void> {
  try {
    await refuseTakenPort(config);
  } catch (error) {
    // By another start of the same mode, which was quicker.
    await refuseSecondStart(config.paths);
    throw error;
  }
}

function printStarted(
  { terminal, version, cwd }: CliContext,
  options: GivenOptions,
  { config, info, detached }: { config: Config; info: MasterInfo; detached: boolean },
): void {
  const warn = (): void => {
    for (const text of info.warnings) terminal.printError(`warning: ${text}`);
  };
  if (options.flag('json')) {
    const { pid, listen, warnings } = info;
    warn();
    terminal.printJson({ mode: config.mode, pid, listen, warnings });
    return;
  }
  const { paint } = terminal;
  terminal.print(banner({ config, info, version, paint, cwd, descriptorLimit: descriptorLimit() }));
  // Below the banner, where they are read.
  warn();
  terminal.print(paint('boldGreen', startedText(info, config.mode, detached)));
}
