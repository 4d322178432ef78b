/**
 * Changes of a configuration that is in use: which keys differ, which of them may count at once, and one key set by hand.
 * What needs a restart stays as it is, so that all processes of a node agree.
 */
import { isDeepStrictEqual } from 'node:util';
import { SpushError } from '../../shared/base/errors.js';
import { didYouMean } from '../../shared/base/nearest.js';
import { crossCheck } from './config-checks.js';
import { readText } from './config-env.js';
import { type ConfigFault, expectedOf, faultText, parseValue } from './config-fault.js';
import { CONFIG_KEYS, type ConfigKey, findKey, valueAt } from './config-keys.js';
import type { Config, PushEnv } from './config-schema.js';
import type { ConfigSource } from './config-source.js';
import { deepFreeze } from './deep-freeze.js';
import { resolveFilePaths } from './resolve-file-paths.js';
import { shownValue } from './shown-value.js';

const WHERE = 'config set';

export interface ConfigChange {
  /** The configuration in use with the live keys of the new one. */
  readonly config: Config;
  /** Paths of the keys that differ: those that count now, and those that need a restart. */
  readonly applied: readonly string[];
  readonly notApplied: readonly string[];
}

/** @param startEnv the PUSHENV that a start would take; a reload stays in its own. */
export function changeConfig(before: Config, loaded: Config, startEnv: PushEnv = loaded.env): ConfigChange {
  const differing = CONFIG_KEYS.filter((key) => !sameValue(valueAt(before, key), valueAt(loaded, key)));
  const live = differing.filter(({ meta }) => meta.apply === 'live');
  const restart = differing.filter(({ meta }) => meta.apply === 'restart');
  const config = live.reduce((changed, key) => withValue(changed, key, valueAt(loaded, key)), before);
  return {
    config: deepFreeze(config),
    applied: live.map(({ path }) => path),
    notApplied: [...(before.env === startEnv ? [] : ['PUSHENV']), ...restart.map(({ path }) => path)],
  };
}

export interface KeyChange {
  readonly config: Config;
  readonly before: unknown;
  readonly after: unknown;
}

/** One live key, its value as text. Throws CONFIG_KEY_UNKNOWN, CONFIG_KEY_RESTART or CONFIG_VALUE_INVALID. */
export async function setLiveKey(config: Config, path: string, text: string): Promise<KeyChange> {
  const key = liveKey(path);
  const read = readText(key, text);
  if ('problem' in read) {
    throw invalid([{ where: WHERE, key: path, problem: read.problem, expected: expectedOf(key) }]);
  }
  const parsed = parseValue(key, read.value, WHERE);
  if ('faults' in parsed) throw invalid(parsed.faults);
  const changed = resolveFilePaths(withValue(config, key, parsed.value));
  const faults = await newFaults(config, changed, key);
  if (faults.length > 0) throw invalid(faults);
  const shown = (value: unknown): unknown => shownValue(key.meta, value);
  return {
    config: deepFreeze(changed),
    before: shown(valueAt(config, key)),
    after: shown(valueAt(changed, key)),
  };
}

function liveKey(path: string): ConfigKey {
  const key = findKey(path);
  if (!key) {
    const near = didYouMean(
      path,
      CONFIG_KEYS.map((known) => known.path),
    );
    throw new SpushError(
      'CONFIG_KEY_UNKNOWN',
      `${path} is not a key of the configuration.${near} spush config show lists all`,
    );
  }
  if (key.meta.apply === 'restart') {
    throw new SpushError(
      'CONFIG_KEY_RESTART',
      `${path} takes effect with a start only: set it in its file or as ${key.envName}, then spush server restart`,
    );
  }
  return key;
}

/** What was wrong before (a certificate that is gone meanwhile) is not this key's fault. */
async function newFaults(before: Config, after: Config, { path }: ConfigKey): Promise<ConfigFault[]> {
  const sources = new Map<string, ConfigSource>([[path, { kind: 'configSet' }]]);
  const known = new Set((await crossCheck(before, sources, new Set())).map(faultText));
  return (await crossCheck(after, sources, new Set())).filter((fault) => !known.has(faultText(fault)));
}

function invalid(faults: readonly ConfigFault[]): SpushError {
  return new SpushError('CONFIG_VALUE_INVALID', faults.map(faultText).join('\n'), { detail: { faults } });
}

function withValue(config: Config, { file, name }: ConfigKey, value: unknown): Config {
  return { ...config, [file]: { ...config[file], [name]: value } };
}

/** A function that was read again is another one; its text tells whether it was changed. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (typeof a === 'function' && typeof b === 'function') return String(a) === String(b);
  return isDeepStrictEqual(a, b);
}
