/**
 * The configuration that counts now, and where each of its values came from; a change is told to everybody who holds a copy
 * of it.
 */
import { sameValue } from '../platform/config/config-change.js';
import { CONFIG_KEYS, valueAt } from '../platform/config/config-keys.js';
import type { Config } from '../platform/config/config-schema.js';
import type { ConfigSource } from '../platform/config/config-source.js';
import type { LoadedConfig } from '../platform/config/load-config.js';

export interface LiveState {
  readonly config: Config;
  /** Of the values that count, by path of the key, and `PUSHENV`. */
  readonly sources: ReadonlyMap<string, ConfigSource>;
  /** What was read last: at the start, or by a reload. */
  readonly loaded: LoadedConfig;
}

export class LiveConfig {
  readonly #onChange: (config: Config) => void;
  #state: LiveState;

  constructor(loaded: LoadedConfig, onChange: (config: Config) => void) {
    const { config, sources } = loaded;
    this.#state = { config, sources, loaded };
    this.#onChange = onChange;
  }

  get current(): Config {
    return this.#state.config;
  }

  get state(): LiveState {
    return this.#state;
  }

  /** Own jobs or tasks of bootstrap.ts, as it was read last. */
  get hasHooks(): boolean {
    const { jobs, tasks } = this.#state.loaded.hooks;
    return jobs.length + tasks.length > 0;
  }

  /** One key was set while the server runs. */
  setKey(path: string, config: Config): void {
    const sources = new Map(this.#state.sources).set(path, { kind: 'configSet' });
    this.#take({ ...this.#state, config, sources });
  }

  /** The files were read again. `config`: the running one with the live keys of `loaded`. A key that needs a restart keeps its value and its source. */
  reload(config: Config, loaded: LoadedConfig): void {
    const sources = new Map(loaded.sources);
    const keep = (path: string): void => {
      sources.set(path, this.#state.sources.get(path) ?? { kind: 'default' });
    };
    if (config.env !== loaded.pushEnv) keep('PUSHENV');
    for (const key of CONFIG_KEYS) {
      if (!sameValue(valueAt(config, key), valueAt(loaded.config, key))) keep(key.path);
    }
    this.#take({ config, sources, loaded });
  }

  /** As it was before. */
  goBackTo(state: LiveState): void {
    this.#take(state);
  }

  #take(state: LiveState): void {
    const hasChanged = state.config !== this.#state.config;
    this.#state = state;
    if (hasChanged) this.#onChange(state.config);
  }
}
