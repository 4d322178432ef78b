/**
 * Loads the configuration: defaults < conf/SystemConf.ts < conf/{Env}/*.ts < environment < command line. Every value of
 * every layer is checked, also one that a higher layer replaces; a higher layer replaces the whole value of a key.
 * All faults are thrown at once as CONFIG_INVALID; what is returned is complete, checked and frozen.
 */
import { join } from 'node:path';
import { didYouMean } from '../../shared/base/nearest.js';
import { type PushEnvRead, readPushEnv } from './bootstrap-file.js';
import { crossCheck } from './config-checks.js';
import { readEnvironment, readOverrides } from './config-env.js';
import { type ConfigFault, configInvalid, parseValue } from './config-fault.js';
import { readConf } from './config-file.js';
import { CONFIG_KEYS, type ConfigKey, keysOf } from './config-keys.js';
import { DEFAULT_MODE, envFile, findPaths } from './config-paths.js';
import { type Config, type ConfigFile, configFiles, type Paths, type PushEnv } from './config-schema.js';
import { type ConfigSource, sourceText } from './config-source.js';
import { deepFreeze } from './deep-freeze.js';
import { resolveFilePaths } from './resolve-file-paths.js';

export interface LoadOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Name of the instance; `websocket` by default. */
  readonly mode?: string;
  /** From the command line, by path of the key: `Port`, `gzcp.verifyUrl`. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface LoadedConfig {
  readonly config: Config;
  /** By path of the key (`MaxLinkNumber`, `gzcp.verifyUrl`), and `PUSHENV`. */
  readonly sources: ReadonlyMap<string, ConfigSource>;
  /** The files that were there and were read. */
  readonly filesRead: readonly string[];
}

export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const mode = options.mode ?? DEFAULT_MODE;
  const { paths, faults: pathFaults } = findPaths({ cwd: options.cwd, env: options.env, mode });
  const pushEnv = await readPushEnv(paths.root, options.env);
  const layers = new Layers([...pathFaults, ...pushEnv.faults]);

  for (const { file, path } of confFiles(paths, pushEnv.env)) await layers.addFile(file, path);
  const environment = readEnvironment(options.env);
  const overrides = readOverrides(options.settings ?? {});
  layers.faults.push(...environment.faults, ...overrides.faults);
  for (const { key, where, value } of environment.settings) {
    layers.add(key, value, { kind: 'environment', name: where });
  }
  for (const { key, where, value } of overrides.settings) {
    layers.add(key, value, { kind: 'commandLine', option: where });
  }

  const sources = layers.sources().set('PUSHENV', pushEnv.source);
  const merged: Config = { mode, env: pushEnv.env ?? 0, paths, ...layers.files() };
  const config = resolveFilePaths(merged);
  // Keys are only compared with each other once each is right by itself; a guess at the rest would mislead.
  const crossFaults = pushEnv.env === null ? [] : await crossCheck(config, sources, layers.faultyKeys);
  const faults = [...layers.faults, ...crossFaults, ...(await hookFaults(pushEnv, config))];
  if (faults.length > 0) throw configInvalid(faults);
  const filesRead = [...(pushEnv.file === null ? [] : [pushEnv.file]), ...layers.filesRead];
  return { config: deepFreeze(config), sources, filesRead };
}

/** Own jobs and tasks of bootstrap.ts; what checks them is loaded only here, as most commands have no use for it. */
async function hookFaults({ file, exports }: PushEnvRead, config: Config): Promise<readonly ConfigFault[]> {
  if (file === null || exports === null) return [];
  const { checkHooks } = await import('./bootstrap-hooks.js');
  return checkHooks(file, exports, config.system.TimeZone).faults;
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

/** What is set, layer upon layer; later ones win. */
class Layers {
  readonly faults: ConfigFault[];
  readonly faultyKeys = new Set<string>();
  readonly filesRead: string[] = [];
  readonly #set = new Map<ConfigKey, { value: unknown; source: ConfigSource }>();

  constructor(faults: ConfigFault[]) {
    this.faults = faults;
  }

  async addFile(file: ConfigFile, path: string): Promise<void> {
    const conf = await readConf(path);
    if (conf.state === 'missing') return;
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

  /** Undefined is "not set", as from `process.env.X` in a file. */
  add(key: ConfigKey, value: unknown, source: ConfigSource): void {
    if (value === undefined) return;
    const where = sourceText(source);
    const parsed = parseValue(key, value, where);
    if ('faults' in parsed) {
      this.faults.push(...parsed.faults);
      this.faultyKeys.add(key.path);
    } else {
      this.#set.set(key, { value: parsed.value, source });
    }
  }

  sources(): Map<string, ConfigSource> {
    return new Map(CONFIG_KEYS.map((key) => [key.path, this.#set.get(key)?.source ?? { kind: 'default' }]));
  }

  files(): Pick<Config, ConfigFile> {
    return {
      system: this.#file('system'),
      db: this.#file('db'),
      redis: this.#file('redis'),
      gzcp: this.#file('gzcp'),
      api: this.#file('api'),
    };
  }

  /** Each value has passed its key's schema, so the object has passed the file's. */
  #file<F extends ConfigFile>(file: F): Config[F] {
    const entries = keysOf(file).map((key) => [key.name, this.#valueOf(key)]);
    return Object.fromEntries(entries) as Config[F];
  }

  #valueOf(key: ConfigKey): unknown {
    const set = this.#set.get(key);
    return set ? set.value : key.schema.parse(undefined);
  }
}

function unknownKey(where: string, name: string, known: Iterable<string>): ConfigFault {
  return { where, key: name, problem: `is not a known key.${didYouMean(name, known)}`, expected: null };
}
