/** A configuration in a form that may travel: each key as it may be shown, and a digest by which it can be compared. */
import { CONFIG_KEYS, valueAt } from './config-keys.js';
import type { Config } from './config-schema.js';
import type { ConfigSource } from './config-source.js';
import { shownValue } from './shown-value.js';
import { valueDigest } from './value-digest.js';

export interface KeyReading {
  /** Secrets are masked. */
  readonly shown: unknown;
  readonly source: ConfigSource;
  readonly digest: string;
}

/** By path of the key, and `PUSHENV`. */
export type KeyReadings = ReadonlyMap<string, KeyReading>;

export interface SourcedConfig {
  readonly config: Config;
  readonly sources: ReadonlyMap<string, ConfigSource>;
}

export function readingsOf({ config, sources }: SourcedConfig, nonce: string): KeyReadings {
  const reading = (path: string, value: unknown, shown: unknown): [string, KeyReading] => [
    path,
    { shown, source: sources.get(path) ?? { kind: 'default' }, digest: valueDigest(value, nonce) },
  ];
  return new Map([
    reading('PUSHENV', config.env, config.env),
    ...CONFIG_KEYS.map((key) => {
      const value = valueAt(config, key);
      return reading(key.path, value, shownValue(key.meta, value));
    }),
  ]);
}
