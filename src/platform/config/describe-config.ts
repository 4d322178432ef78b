/** The configuration as rows, for `spush config show` and the docs. */
import { CONFIG_KEYS, valueAt } from './config-keys.js';
import type { ConfigFile, KeyMeta } from './config-schema.js';
import { sourceText } from './config-source.js';
import type { SourcedConfig } from './key-readings.js';
import { shownValue } from './shown-value.js';

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

export function describeConfig({ config, sources }: SourcedConfig): ConfigRow[] {
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
