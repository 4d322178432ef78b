/** The configuration as rows, for `spush config show` and the docs. Secret values are masked here. */

import { withoutSecrets } from './address-text.js';
import { CONFIG_KEYS, valueAt } from './config-keys.js';
import type { ConfigFile, KeyMeta } from './config-schema.js';
import { sourceText } from './config-source.js';
import type { LoadedConfig } from './load-config.js';

export interface ConfigRow {
  readonly file: ConfigFile | 'bootstrap';
  /** `PUSHENV`, `MaxLinkNumber`, `gzcp.verifyUrl`. */
  readonly key: string;
  readonly value: unknown;
  /** `default`, a path, the name of a variable or an option. */
  readonly source: string;
  readonly apply: KeyMeta['apply'];
  readonly unit: string | null;
}

export const MASK = '***';

export function describeConfig({ config, sources }: Pick<LoadedConfig, 'config' | 'sources'>): ConfigRow[] {
  const sourceOf = (key: string) => sourceText(sources.get(key) ?? { kind: 'default' });
  const pushEnv: ConfigRow = {
    file: 'bootstrap',
    key: 'PUSHENV',
    value: config.env,
    source: sourceOf('PUSHENV'),
    apply: 'restart',
    unit: null,
  };
  const rows = CONFIG_KEYS.map((key): ConfigRow => {
    const { file, path, meta } = key;
    return {
      file,
      key: path,
      value: shownValue(meta, valueAt(config, key)),
      source: sourceOf(path),
      apply: meta.apply,
      unit: meta.unit ?? null,
    };
  });
  return [pushEnv, ...rows];
}

/** A value as it may be shown to anybody. */
export function shownValue(meta: KeyMeta, value: unknown): unknown {
  if (meta.secret) return masked(value);
  if (meta.address && typeof value === 'string') return withoutSecrets(value);
  return typeof value === 'function' ? '(function)' : value;
}

/** That nothing is set is no secret, and often what is looked for. */
function masked(value: unknown): string {
  const empty = value === '' || value === null || (Array.isArray(value) && value.length === 0);
  return empty ? '' : MASK;
}
