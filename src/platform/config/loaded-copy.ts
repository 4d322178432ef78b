/**
 * A configuration that was loaded in another thread. Functions cannot travel; who asks needs to know only whether there are any,
 * and whether they have changed, so their texts travel instead.
 */
import { AssertionError } from '../../shared/base/assert.js';
import type { Hooks } from './bootstrap-hooks.js';
import type { Config, GzcpConfig } from './config-schema.js';
import { deepFreeze } from './deep-freeze.js';
import type { LoadedConfig } from './load-config.js';

type ConfigCopy = Omit<Config, 'gzcp'> & {
  readonly gzcp: Omit<GzcpConfig, 'token'> & { readonly token: string | null };
};

export type LoadedCopy = Omit<LoadedConfig, 'config' | 'inFiles' | 'hooks'> & {
  readonly config: ConfigCopy;
  readonly inFiles: Omit<LoadedConfig['inFiles'], 'config'> & { readonly config: ConfigCopy };
  readonly hooks: Pick<Hooks, 'jobs'> & {
    readonly tasks: readonly { readonly name: string; readonly run: string }[];
  };
};

export function toCopy(loaded: LoadedConfig): LoadedCopy {
  const { config, inFiles, hooks } = loaded;
  const tasks = hooks.tasks.map(({ name, run }) => ({ name, run: String(run) }));
  return {
    ...loaded,
    config: configCopy(config),
    inFiles: { ...inFiles, config: configCopy(inFiles.config) },
    hooks: { jobs: hooks.jobs, tasks },
  };
}

/** Its functions have their text, and may not be called. */
export function fromCopy(copy: LoadedCopy): LoadedConfig {
  const { config, inFiles, hooks } = copy;
  return {
    ...copy,
    config: configOf(config),
    inFiles: { ...inFiles, config: configOf(inFiles.config) },
    hooks: { jobs: hooks.jobs, tasks: hooks.tasks.map(({ name, run }) => ({ name, run: ofText(run) })) },
  };
}

function configCopy(config: Config): ConfigCopy {
  const { token } = config.gzcp;
  return { ...config, gzcp: { ...config.gzcp, token: token === null ? null : String(token) } };
}

function configOf(config: ConfigCopy): Config {
  const { token } = config.gzcp;
  return deepFreeze<Config>({
    ...config,
    gzcp: { ...config.gzcp, token: token === null ? null : ofText(token) },
  });
}

function ofText(text: string): () => never {
  const stands = (): never => {
    throw new AssertionError('only the text of this function is known here');
  };
  return Object.assign(stands, { toString: () => text });
}
