/** The configuration of this shell for commands that have something to say also where it is faulty. */
import { readEnvironment } from '../platform/config/config-env.js';
import { type ConfigRow, describeConfig } from '../platform/config/describe-config.js';
import { readingsOf } from '../platform/config/key-readings.js';
import { type LoadedConfig, type LoadOptions, loadConfig } from '../platform/config/load-config.js';
import { shownValue } from '../platform/config/shown-value.js';
import { valueDigest } from '../platform/config/value-digest.js';
import { isSpushError, type SpushError } from '../shared/base/errors.js';

/** By path of the key, of its value under a nonce: see value-digest.ts. */
export type Digests = (nonce: string) => Record<string, string>;

interface Known {
  /** Of all keys; where the configuration is faulty, of those that a variable of this shell sets. */
  readonly rows: readonly ConfigRow[];
  readonly digests: Digests;
}

export type Here = Known &
  (
    | { readonly loaded: LoadedConfig; readonly fault: null }
    | { readonly loaded: null; readonly fault: SpushError }
  );

export async function loadHere(options: LoadOptions): Promise<Here> {
  try {
    const loaded = await loadConfig(options);
    return { loaded, fault: null, rows: describeConfig(loaded), digests: digestsOf(loaded) };
  } catch (error) {
    if (!isSpushError(error, 'CONFIG_INVALID')) throw error;
    return { loaded: null, fault: error, ...variablesOf(options.env) };
  }
}

export function digestsOf(loaded: LoadedConfig): Digests {
  return (nonce) =>
    Object.fromEntries([...readingsOf(loaded, nonce)].map(([key, { digest }]) => [key, digest]));
}

/** A server that was started with the same variables differs from this shell in nothing, whatever is wrong in a file. */
function variablesOf(env: NodeJS.ProcessEnv): Known {
  const { settings } = readEnvironment(env);
  return {
    rows: settings.map(({ key: { file, path, meta }, where, value }) => ({
      file,
      key: path,
      value: shownValue(meta, value),
      source: where,
      apply: meta.apply,
      unit: meta.unit ?? null,
    })),
    digests: (nonce) =>
      Object.fromEntries(settings.map(({ key, value }) => [key.path, valueDigest(value, nonce)])),
  };
}
