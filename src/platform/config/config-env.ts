/**
 * Settings that come as text: environment variables and the command line. Numbers and booleans are read as such,
 * lists and objects as JSON, `null` where a key takes null. What does not fit is left as text for the schema to refuse.
 */
import { distance } from 'fastest-levenshtein';
import { didYouMean } from '../../shared/base/nearest.js';
import { type ConfigFault, expectedOf } from './config-fault.js';
import { CONFIG_KEYS, type ConfigKey, findKey } from './config-keys.js';

export interface TextSetting {
  readonly key: ConfigKey;
  /** Name of the variable, or `command line`. */
  readonly where: string;
  readonly value: unknown;
}

export interface TextSettings {
  readonly settings: readonly TextSetting[];
  readonly faults: readonly ConfigFault[];
}

const COMMAND_LINE = 'command line';
/** Variables that are not keys of a file. */
const OTHER_NAMES = ['SPUSH_ROOT', 'SPUSH_HOME', 'SPUSH_LOG'];
/** What people write when they mean PUSHENV. */
const MEANT_PUSHENV = ['SPUSH_ENV', 'SPUSH_PUSHENV', 'SPUSH_PUSH_ENV'];

export function readEnvironment(env: NodeJS.ProcessEnv): TextSettings {
  const settings: TextSetting[] = [];
  const faults: ConfigFault[] = [];
  for (const key of CONFIG_KEYS) {
    const text = env[key.envName];
    if (text !== undefined) collect(key, text, key.envName, settings, faults);
  }
  for (const name of Object.keys(env)) {
    const fault = misspelt(name);
    if (fault) faults.push(fault);
  }
  return { settings, faults };
}

/** @param texts by path of the key: `MaxLinkNumber`, `gzcp.verifyUrl`. */
export function readOverrides(texts: Readonly<Record<string, string>>): TextSettings {
  const settings: TextSetting[] = [];
  const faults: ConfigFault[] = [];
  for (const [path, text] of Object.entries(texts)) {
    const where = COMMAND_LINE;
    const key = findKey(path);
    if (key) {
      collect(key, text, where, settings, faults);
      continue;
    }
    const hint = didYouMean(
      path,
      CONFIG_KEYS.map((known) => known.path),
    );
    faults.push({ where, key: path, problem: `is not a known key.${hint}`, expected: null });
  }
  return { settings, faults };
}

function collect(
  key: ConfigKey,
  text: string,
  where: string,
  settings: TextSetting[],
  faults: ConfigFault[],
): void {
  const read = readText(key, text);
  if ('problem' in read) {
    faults.push({ where, key: key.path, problem: read.problem, expected: expectedOf(key) });
  } else {
    settings.push({ key, where, value: read.value });
  }
}

/** The value that a text means for this key; still to be checked by its schema. */
export function readText(key: ConfigKey, text: string): { value: unknown } | { problem: string } {
  const kinds = key.kinds();
  if (text === 'null' && kinds.has('null')) return { value: null };
  if (kinds.has('function')) return { problem: 'is a function and can only be set in its file' };
  if (kinds.has('json')) return readJson(key, text);
  if (kinds.has('number') && /^-?\d+(\.\d+)?$/.test(text.trim())) return { value: Number(text) };
  if (kinds.has('boolean')) {
    if (text === 'true' || text === '1') return { value: true };
    if (text === 'false' || text === '0') return { value: false };
  }
  return { value: text };
}

function readJson(key: ConfigKey, text: string): { value: unknown } | { problem: string } {
  try {
    return { value: JSON.parse(text) };
  } catch {
    // The parser's own text quotes the value, which may be a secret.
    return { problem: key.meta.secret ? 'is not JSON (a secret, so not shown)' : `is not JSON: ${text}` };
  }
}

/**
 * Other programs may have SPUSH_ variables of their own, so only what is close to a name of ours is a fault: the same
 * letters without the underscores, one wrong letter in five, or two that changed places.
 */
function misspelt(name: string): ConfigFault | null {
  if (!name.startsWith('SPUSH_') || name.startsWith('SPUSH_TEST_')) return null;
  const names = [...CONFIG_KEYS.map((key) => key.envName), ...OTHER_NAMES];
  if (names.includes(name)) return null;
  const meant = MEANT_PUSHENV.includes(name) ? 'PUSHENV' : names.find((known) => isNear(name, known));
  if (meant === undefined) return null;
  return { where: name, key: null, problem: `is not known. Did you mean ${meant}?`, expected: null };
}

function isNear(name: string, known: string): boolean {
  const [a, b] = [bare(name), bare(known)];
  return a === b || distance(a, b) <= Math.max(1, Math.floor(a.length / 5)) || areSwapped(a, b);
}

/** Two letters side by side that changed places, which `distance` counts as two wrong ones. */
function areSwapped(a: string, b: string): boolean {
  const at = [...a].findIndex((letter, index) => letter !== b[index]);
  return at !== -1 && b === a.slice(0, at) + (a[at + 1] ?? '') + a[at] + a.slice(at + 2);
}

function bare(name: string): string {
  return name.slice('SPUSH_'.length).replaceAll('_', '').toUpperCase();
}
