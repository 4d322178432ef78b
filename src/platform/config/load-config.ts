/**
 * Loads the configuration: defaults < conf/SystemConf.ts < conf/{Env}/*.ts < environment < command line. Every value of
 * every layer is checked, also one that a higher layer replaces; a higher layer replaces the whole value of a key.
 * All faults are thrown at once as CONFIG_INVALID; what is returned is complete, checked and frozen.
 */
import { join } from 'node:path';
import { didYouMean } from '../../shared/base/nearest.js';
import { type PushEnvRead, readPushEnv } from './bootstrap-file.js';
import type { Hooks } from './bootstrap-hooks.js';
import { crossCheck } from './config-checks.js';
import { readEnvironment, readOverrides } from './config-env.js';
import { type ConfigFault, configInvalid, parseValue } from './config-fault.js';
import { readConf } from './config-file.js';
import { CONFIG_KEYS, type ConfigKey, keysOf } from './config-keys.js';
import { DEFAULT_MODE, envFile, findPaths } from './config-paths.js';
import { type Config, type ConfigFile, configFiles, type Paths, type PushEnv } from './config-schema.js';
import { type ConfigSource, sourceText } from './config-source.js';
import { deepFreeze } from './deep-freeze.js';
import { NO_HOOKS } from './load-hooks.js';
import { ReadingTime } from './reading-time.js';
import { resolveFilePaths } from './resolve-file-paths.js';

export interface LoadOptions {
  /** Null when it has been removed. */
  readonly cwd: string | null;
  readonly env: NodeJS.ProcessEnv;
  /** Name of the instance; `websocket` by default. */
  readonly mode?: string;
  /** From the command line, by path of the key: `Port`, `gzcp.verifyUrl`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Of the server that runs: a reload reads its files anew and stays where it is, whatever bootstrap.ts says by now. */
  readonly place?: Pick<Config, 'env' | 'paths'>;
}

export interface LoadedConfig {
  readonly config: Config;
  /** By path of the key (`MaxLinkNumber`, `gzcp.verifyUrl`), and `PUSHENV`. */
  readonly sources: ReadonlyMap<string, ConfigSource>;
  /** What the files say alone, over the defaults: without the environment and the command line, which win over them. */
  readonly inFiles: FilesView;
  /** The jobs and tasks of bootstrap.ts. */
  readonly hooks: Hooks;
  /** The files that were there and were read. */
  readonly filesRead: readonly string[];
  /** What a start would take for PUSHENV; it differs from that of `config` only where a place was given. */
  readonly pushEnv: PushEnv;
}

interface FilesView {
  /** Each value is right by itself; keys are not compared with each other. */
  readonly config: Config;
  /** `default` or a file, by path of the key. */
  readonly sources: ReadonlyMap<string, ConfigSource>;
}

export async function loadConfig(options: LoadOptions, time = new ReadingTime()): Promise<LoadedConfig> {
  const mode = options.mode ?? DEFAULT_MODE;
  const { paths, faults: pathFaults } = findPaths({ cwd: options.cwd, env: locationsOf(options), mode });
  const pushEnv = await readPushEnv(paths.root, options.env, time);
  const env = pushEnv.env === null ? null : (options.place?.env ?? pushEnv.env);
  const layers = new Layers([...pathFaults, ...pushEnv.faults]);

  for (const { file, path } of confFiles(paths, env)) {
    if (time.isUp) throw configInvalid(layers.faults);
    await layers.addFile(file, path, time);
  }
  const environment = readEnvironment(options.env);
  const overrides = readOverrides(options.settings ?? {});
  layers.addFaults([...environment.faults, ...overrides.faults]);
  for (const { key, where, value } of environment.settings) {
    layers.add(key, value, { kind: 'environment', name: where });
  }
  for (const { key, where, value } of overrides.settings) {
    layers.add(key, value, { kind: 'commandLine', option: where });
  }

  const sources = layers.sources().set('PUSHENV', pushEnv.source);
  const merged: Config = { mode, env: env ?? 0, paths, ...layers.files() };
  const config = resolveFilePaths(merged);
  // Keys are only compared with each other once each is right by itself; a guess at the rest would mislead.
  const crossFaults =
    env === null ? [] : await crossCheck(config, sources, layers.faultyKeys, layers.missing);
  const { hooks, faults: hookFaults } = await hooksIn(pushEnv, config);
  const faults = [...layers.faults, ...crossFaults, ...hookFaults];
  if (faults.length > 0) throw configInvalid(faults);
  const filesRead = [...(pushEnv.file === null ? [] : [pushEnv.file]), ...layers.filesRead];
  const inFiles = filesView(config, pushEnv, layers);
  return {
    config: deepFreeze(config),
    sources,
    inFiles,
    hooks,
    filesRead,
    pushEnv: pushEnv.env ?? config.env,
  };
}

/** Where bootstrap.ts was found once, it is looked for: without it another folder above would be taken for the root. */
function locationsOf({ env, place }: LoadOptions): NodeJS.ProcessEnv {
  return place ? { ...env, SPUSH_ROOT: place.paths.root, SPUSH_HOME: place.paths.home } : env;
}

function filesView(config: Config, pushEnv: PushEnvRead, layers: Layers): FilesView {
  const sources = layers.sources('files');
  if (pushEnv.file !== null && pushEnv.envInFile !== null) {
    sources.set('PUSHENV', { kind: 'file', path: pushEnv.file });
  } else sources.set('PUSHENV', { kind: 'default' });
  const merged: Config = { ...config, env: pushEnv.envInFile ?? 0, ...layers.files('files') };
  return { config: deepFreeze(resolveFilePaths(merged)), sources };
}

/** Own jobs and tasks of bootstrap.ts; what checks them is loaded only here, as most commands have no use for it. */
async function hooksIn(
  { file, exports }: PushEnvRead,
  config: Config,
): Promise<{ hooks: Hooks; faults: readonly ConfigFault[] }> {
  if (file === null || exports === null) return { hooks: NO_HOOKS, faults: [] };
  const { checkHooks } = await import('./bootstrap-hooks.js');
  return checkHooks(file, exports, config.system.TimeZone);
}

/** The files in conf/ that count for this PUSHENV. */
function confFiles(paths: Paths, env: PushEnv | null): { file: ConfigFile; path: string }[] {
  const files: { file: ConfigFile; path: string }[] = [
    { file: 'system', path: join(paths.root, 'conf', 'SystemConf.ts') },
  ];
  if (env === null || env === 0) return files;
  for (const file of Object.keys(configFiles) as ConfigFile[]) {
    if (file !== 'system') files.push({ file, path: envFile(paths.root, env, file) });
  }
  return files;
}

interface SetValue {
  readonly value: unknown;
  readonly source: ConfigSource;
}
/** All layers, or those of the files alone. */
type Which = 'all' | 'files';

/** What is set, layer upon layer; later ones win. */
class Layers {
  readonly faults: ConfigFault[];
  readonly faultyKeys = new Set<string>();
  readonly filesRead: string[] = [];
  /** Files that count and are not there. */
  readonly missing = new Set<ConfigFile>();
  readonly #set = { all: new Map<ConfigKey, SetValue>(), files: new Map<ConfigKey, SetValue>() };

  constructor(faults: ConfigFault[]) {
    this.faults = faults;
  }

  async addFile(file: ConfigFile, path: string, time: ReadingTime): Promise<void> {
    const conf = await readConf(path, time);
    if (conf.state === 'missing') {
      this.missing.add(file);
      return;
    }
    this.filesRead.push(path);
    if (conf.state === 'faulty') {
      this.faults.push(conf.fault);
      // What the file would have said is not known: nothing is concluded from its keys.
      for (const key of keysOf(file)) this.faultyKeys.add(key.path);
      return;
    }
    const keys = new Map(keysOf(file).map((key) => [key.name, key]));
    for (const [name, value] of Object.entries(conf.values)) {
      const key = keys.get(name);
      if (key) this.add(key, value, { kind: 'file', path });
      else this.faults.push(unknownKey(path, name, keys.keys()));
    }
  }

  /** Of values that are no values yet. A key that says something wrong is not taken for one that says nothing. */
  addFaults(faults: readonly ConfigFault[]): void {
    this.faults.push(...faults);
    for (const { key } of faults) if (key !== null) this.faultyKeys.add(key);
  }

  /** Undefined is "not set", as from `process.env.X` in a file. */
  add(key: ConfigKey, value: unknown, source: ConfigSource): void {
    if (value === undefined) return;
    const where = sourceText(source);
    const parsed = parseValue(key, value, where);
    if ('faults' in parsed) {
      this.faults.push(...parsed.faults);
      this.faultyKeys.add(key.path);
    } else {
      this.#set.all.set(key, { value: parsed.value, source });
      if (source.kind === 'file') this.#set.files.set(key, { value: parsed.value, source });
    }
  }

  sources(which: Which = 'all'): Map<string, ConfigSource> {
    const set = this.#set[which];
    return new Map(CONFIG_KEYS.map((key) => [key.path, set.get(key)?.source ?? { kind: 'default' }]));
  }

  files(which: Which = 'all'): Pick<Config, ConfigFile> {
    return {
      system: this.#file('system', which),
      db: this.#file('db', which),
      redis: this.#file('redis', which),
      gzcp: this.#file('gzcp', which),
      api: this.#file('api', which),
    };
  }

  /** Each value has passed its key's schema, so the object has passed the file's. */
  #file<F extends ConfigFile>(file: F, which: Which): Config[F] {
    const entries = keysOf(file).map((key) => [key.name, this.#valueOf(key, which)]);
    return Object.fromEntries(entries) as Config[F];
  }

  #valueOf(key: ConfigKey, which: Which): unknown {
    const set = this.#set[which].get(key);
    return set ? set.value : key.schema.parse(undefined);
  }
}

function unknownKey(where: string, name: string, known: Iterable<string>): ConfigFault {
  return { where, key: name, problem: `is not a known key.${didYouMean(name, known)}`, expected: null };
}
