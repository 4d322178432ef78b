/**
 * `spush server restart`: stop, then start. Not started when the stop failed; started with a note when nothing ran. A
 * server that ran in the background starts there again, unless -d or -d=false says otherwise; what it was given with
 * --port, --host and --set is kept, unless it is given anew. The environment stays what it was, unless --yes says otherwise.
 */
import { readlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Paths } from '../../platform/config/config-schema.js';
import { refuseHomeOfOthers } from '../../platform/config/usable-home.js';
import { environmentRecordFile, readEnvironmentRecord } from '../../platform/instance/environment-record.js';
import { type Instance, readInstance } from '../../platform/instance/instance-file.js';
import { assertEnoughDescriptors, descriptorLimit } from '../../platform/limits/descriptors.js';
import { isSpushError, SpushError } from '../../shared/base/errors.js';
import { shellWord } from '../../shared/base/shell-word.js';
import type { ControlData } from '../../shared/protocol/control-commands.js';
import type { CliAction, CliContext, GivenOptions } from '../action.js';
import { loadInSameEnvironment } from '../agree-to-environment.js';
import { envText } from '../env-text.js';
import { refuseInForeignCluster } from '../foreign-cluster.js';
import { askMaster, type MasterTarget, targetOf } from '../master-call.js';
import { mastersElsewhere } from '../masters-elsewhere.js';
import { refuseImpossibleListening, refuseTakenPort } from '../port-check.js';
import { progressOf } from '../progress.js';
import { restartChanges } from '../restart-changes.js';
import { refuseServiceMaster } from '../service-master.js';
import { modeOf } from '../start-options.js';
import { typedOptions } from '../typed-options.js';
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
    const { paths, program } = targetOf(context, options);
    // One that hangs says nothing, and is stopped by a signal.
    const before = await readInstance(paths);
    const pid = before.state === 'running' ? before.pid : started.pid;
    if (pid !== undefined) await refuseServiceMaster(pid);
    else if (!options.flag('yes')) await refuseAnother(context, given, { paths, program });
    const running = started.environment ?? null;
    // A fault found after the stop would leave nothing running.
    const loaded = await loadInSameEnvironment(context, options, {
      action: 'restart',
      running,
      typed: given,
    });
    const instance = await readInstance(paths);
    const detached = options.flag('d') ?? started.background ?? (await ranInBackground(paths, instance));
    // What keeps it from starting is said while it still runs.
    if (!detached) refuseInForeignCluster();
    refuseHomeOfOthers(paths);
    if (instance.state === 'running') {
      assertEnoughDescriptors(loaded.config, descriptorLimit());
      await refuseImpossibleListening(loaded.config, instance.pid);
    } else await refuseTakenPort(loaded.config);
    if (started.pid !== undefined) {
      for (const line of await restartChanges(context, options, loaded)) context.terminal.printError(line);
    }
    await stopFirst(context, options);
    return startServer(context, options, { loaded, detached });
  },
};

/** How the running server was started; nothing when none runs, or none answers. */
async function askHowStarted(
  context: CliContext,
  options: GivenOptions,
): Promise<Partial<ControlData<'ping'>>> {
  try {
    return await askMaster(context, options, 'ping', {});
  } catch (error) {
    // Not running, suspended, not ours: the stop says so.
    if (isSpushError(error)) return {};
    throw error;
  }
}

/** A server that runs in another home is not restarted by starting a second one beside it. */
async function refuseAnother(
  { cwd, env, patience }: CliContext,
  options: GivenOptions,
  { paths, program }: Omit<MasterTarget, 'mode'>,
): Promise<void> {
  const mode = modeOf(options);
  const record = await readEnvironmentRecord(environmentRecordFile(paths, mode));
  // A home that was named, and in which this mode has run, is the one that is meant.
  if (env['SPUSH_HOME'] && record.state !== 'none') return;
  const { root, home } = paths;
  const others = await mastersElsewhere({ mode, root, home, program, answerMs: patience.answerMs });
  const [first] = others;
  if (first === undefined) return;
  const lines = others.map(
    ({ pid, environment: { env: pushEnv, root, home } }) =>
      `  pid ${pid}: PUSHENV ${envText(pushEnv)}, SPUSH_HOME ${home}, SPUSH_ROOT ${root}`,
  );
  const { environment } = first;
  const variables = [
    ...(environment.envSource === 'PUSHENV' ? [`PUSHENV=${environment.env}`] : []),
    `SPUSH_ROOT=${shellWord(environment.root)}`,
    `SPUSH_HOME=${shellWord(environment.home)}`,
  ];
  throw new SpushError(
    'ENVIRONMENT_CHANGED',
    [
      `no server of mode ${mode} runs in ${home} (${whyHome(env, cwd)}), but elsewhere:`,
      ...lines,
      'nothing was stopped or started',
      `  to restart ${others.length === 1 ? 'that one' : 'the first of them'}: ${variables.join(' ')} spush server restart ${typedOptions(options)}`,
      `  to start another one here: spush server start ${typedOptions(options)}`,
    ].join('\n'),
    { detail: { others } },
  );
}

/** Without both variables the home goes by the folder in which the command was typed, which is there: else it would be refused. */
function whyHome(env: NodeJS.ProcessEnv, cwd: string | null): string {
  if (env['SPUSH_HOME']) return 'the variable SPUSH_HOME says so';
  if (env['SPUSH_ROOT']) return 'SPUSH_HOME is not set, and the variable SPUSH_ROOT says so';
  return `SPUSH_HOME is not set; in ${cwd}`;
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
async function ranInBackground(paths: Paths, instance: Instance): Promise<boolean> {
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
