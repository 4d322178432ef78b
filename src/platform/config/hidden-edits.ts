/**
 * Edits of the files that have no effect, because the environment or the command line of the process that reads them sets
 * the same key and wins.
 */
import { sameValue } from './config-change.js';
import { CONFIG_KEYS, valueAt } from './config-keys.js';
import type { Config } from './config-schema.js';
import type { ConfigSource } from './config-source.js';
import type { LoadedConfig } from './load-config.js';

export interface HiddenEdit {
  /** Path of the key, or `PUSHENV`. */
  readonly key: string;
  /** What wins over the file. */
  readonly by: Extract<ConfigSource, { kind: 'environment' | 'commandLine' }>;
}

/** What was edited in the files between two times of loading, and does not count. */
export function hiddenEdits(
  before: Pick<LoadedConfig, 'inFiles'>,
  after: Pick<LoadedConfig, 'config' | 'sources' | 'inFiles'>,
): HiddenEdit[] {
  return [
    PUSHENV,
    ...CONFIG_KEYS.map(({ path, ...key }) => ({ path, of: (config: Config) => valueAt(config, key) })),
  ]
    .filter(({ of }) => !sameValue(of(before.inFiles.config), of(after.inFiles.config)))
    .filter(({ of }) => !sameValue(of(after.inFiles.config), of(after.config)))
    .flatMap(({ path }) => {
      const by = after.sources.get(path);
      return by?.kind === 'environment' || by?.kind === 'commandLine' ? [{ key: path, by }] : [];
    });
}

const PUSHENV = { path: 'PUSHENV', of: (config: Config): unknown => config.env };
