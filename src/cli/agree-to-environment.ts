/**
 * Before anything is stopped or started: whether the environment stays what it was. It was that of the running server, or
 * that of the data. Where it would change a person is asked, and a script refused, unless --yes was given. Where the earlier
 * environment is not known (no record was kept, or it cannot be read), the start goes on.
 */
import { existsSync } from 'node:fs';
import { readPushEnv } from '../platform/config/bootstrap-file.js';
import { locatePaths } from '../platform/config/config-paths.js';
import type { Config, Paths } from '../platform/config/config-schema.js';
import { sourceText } from '../platform/config/config-source.js';
import { type LoadedConfig, type LoadOptions, loadConfig } from '../platform/config/load-config.js';
import {
  environmentOf,
  environmentRecordFile,
  readEnvironmentRecord,
} from '../platform/instance/environment-record.js';
import { PACKAGE_ROOT } from '../platform/program/program-files.js';
import { ownStorePath, spillPath } from '../platform/store/store-files.js';
import { isSpushError, SpushError } from '../shared/base/errors.js';
import type { Environment } from '../shared/protocol/environment.js';
import type { CliContext, GivenOptions, OptionSpec } from './action.js';
import {
  changeLines,
  changesOf,
  keepingVariables,
  movedStore,
  type NewEnvironment,
} from './environment-change.js';
import { programFolderOf } from './folders.js';
import { agrees } from './person.js';
import { environmentFileOf } from './service-unit.js';
import { loadOptionsOf, modeOf } from './start-options.js';
import { typedOptions } from './typed-options.js';

export const YES_OPTION: OptionSpec = {
  name: 'yes',
  kind: 'flag',
  label: '--yes',
  doc: 'also into another environment (PUSHENV, kind of store, SPUSH_ROOT, SPUSH_HOME)',
  aliases: ['y'],
};

export interface Agreement {
  readonly action: 'start' | 'restart';
  /** Of the server that runs; null: none does, or it does not say. */
  readonly running: Environment | null;
  /** Of this command alone, without what a restart keeps of the running server. */
  readonly typed: GivenOptions;
}

/** Loads the configuration, and asks when it is of another environment. Rejects with ENVIRONMENT_CHANGED, or CONFIG_INVALID. */
export async function loadInSameEnvironment(
  context: CliContext,
  options: GivenOptions,
  agreement: Agreement,
): Promise<LoadedConfig> {
  const loadOptions = loadOptionsOf(context, options);
  let loaded: LoadedConfig;
  try {
    loaded = await loadConfig(loadOptions);
  } catch (error) {
    // If the environment changed too, that is said instead: the faults of a wrong environment would only distract.
    if (isSpushError(error, 'CONFIG_INVALID')) await refuseFaulty(context, options, agreement, loadOptions);
    throw error;
  }
  const { config } = loaded;
  const before = agreement.running ?? (await recorded(context, config));
  if (before === null) return loaded;
  const after = environmentOf(loaded);
  await agree(context, options, {
    ...agreement,
    mayAsk: context.person.present,
    before,
    after,
    paths: config.paths,
  });
  const moved = movedStore(before, after);
  if (moved !== null) context.terminal.printError(`note: ${moved}`);
  return loaded;
}

/** For `config check`: what a start would ask about; null: nothing. */
export async function environmentWarning(
  { env }: Pick<CliContext, 'env'>,
  loaded: LoadedConfig,
): Promise<string | null> {
  const { config } = loaded;
  const file = environmentRecordFile(config.paths, config.mode);
  const record = await readEnvironmentRecord(file);
  if (record.state !== 'known') return null;
  const changes = changesOf(record.environment, environmentOf(loaded), env);
  if (changes.length === 0) return null;
  return `a start needs --yes, as it would change the environment of the data (${file}):\n${changeLines(changes)}`;
}

interface Question extends Agreement {
  /** Whether a person may be asked. */
  readonly mayAsk: boolean;
  readonly before: Environment;
  readonly after: NewEnvironment;
  readonly paths: Paths;
}

async function agree(context: CliContext, options: GivenOptions, question: Question): Promise<void> {
  const { person, terminal, env } = context;
  const changes = changesOf(question.before, question.after, env);
  if (changes.length === 0) return;
  const told = (verb: 'changes' | 'would change'): string =>
    `this ${question.action} ${verb} the environment of mode ${modeOf(options)}:\n${changeLines(changes)}`;
  if (options.flag('yes')) {
    terminal.printError(told('changes'));
    return;
  }
  if (question.mayAsk) {
    if (await agrees(person, `${told('would change')}\nGo on?`)) return;
    throw new SpushError('ENVIRONMENT_CHANGED', howTo(question, context));
  }
  throw new SpushError('ENVIRONMENT_CHANGED', `${told('would change')}\n${howTo(question, context)}`, {
    detail: { changes },
  });
}

function howTo(
  { action, typed, before, after, running, paths }: Question,
  { env, launchPath }: CliContext,
): string {
  const keeping = keepingVariables(before, changesOf(before, after, env));
  const command = `spush server ${action} ${typedOptions(typed)}`;
  const lines = [
    'nothing was stopped or started',
    `  to stay in the environment: ${keeping} ${command}`,
    `  to change it: ${command} --yes`,
  ];
  if (running === null) {
    const file = environmentRecordFile(paths, modeOf(typed));
    const variables = environmentFileOf(paths.root, programFolderOf(launchPath));
    lines.push(`  to change it under systemd (variables: ${variables}): remove ${file}, then start`);
  }
  return lines.join('\n');
}

/** The environment that the data in this home is of. What cannot be told is a warning. */
async function recorded({ terminal }: CliContext, config: Config): Promise<Environment | null> {
  const { paths, mode } = config;
  const file = environmentRecordFile(paths, mode);
  const record = await readEnvironmentRecord(file);
  switch (record.state) {
    case 'known':
      return record.environment;
    case 'unknown':
      terminal.printError(
        `warning: ${file} cannot be read (${record.reason}): whether the data is of PUSHENV ${config.env} is not known; it is written anew`,
      );
      return null;
    case 'none': {
      const left = leftBehind(config);
      if (left !== null) terminal.printError(`warning: ${left}`);
      return null;
    }
  }
}

/** Of a version that kept no record: files that say that there was another environment here. */
function leftBehind({ paths, mode, env }: Config): string | null {
  const store = ownStorePath({ paths, mode });
  if (env !== 0 && existsSync(store)) {
    return `${store} holds messages of PUSHENV 0, which are not delivered in PUSHENV ${env}`;
  }
  const spill = spillPath({ paths, mode });
  if (env === 0 && existsSync(spill)) {
    return `${spill} may hold messages that wait for the database of PUSHENV 1 or 2; they are not delivered in PUSHENV 0`;
  }
  return null;
}

/** Throws ENVIRONMENT_CHANGED, or returns: then the faults are those of the environment that is meant. */
async function refuseFaulty(
  context: CliContext,
  options: GivenOptions,
  agreement: Agreement,
  { cwd, env }: LoadOptions,
): Promise<void> {
  if (options.flag('yes')) return;
  const mode = modeOf(options);
  const paths = locatedPaths({ cwd, env, mode });
  if (paths === null) return;
  const before = agreement.running ?? (await knownRecord(paths, mode));
  const pushEnv = await readPushEnv(paths.root, env);
  if (before === null || pushEnv.env === null) return;
  const { root, home } = paths;
  const envSource = sourceText(pushEnv.source);
  const after = { env: pushEnv.env, envSource, root, home, program: PACKAGE_ROOT, store: null };
  // A faulty configuration cannot be started, so there is nothing to ask the person about.
  await agree(context, options, { ...agreement, mayAsk: false, before, after, paths });
}

/** Null: SPUSH_ROOT or SPUSH_HOME is faulty, which whoever loads the configuration is told. */
export function locatedPaths(options: Parameters<typeof locatePaths>[0]): Paths | null {
  try {
    return locatePaths(options);
  } catch (error) {
    if (isSpushError(error, 'CONFIG_INVALID')) return null;
    throw error;
  }
}

async function knownRecord(paths: Paths, mode: string): Promise<Environment | null> {
  const record = await readEnvironmentRecord(environmentRecordFile(paths, mode));
  return record.state === 'known' ? record.environment : null;
}
