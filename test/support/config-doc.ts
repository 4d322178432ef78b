/** docs/CONFIG.md, made from the declarations of the keys. What stands around the tables is in config-doc-words.ts. */
import { CONFIG_KEYS, type ConfigKey, keysOf } from '../../src/platform/config/config-keys.js';
import { type ConfigFile, configFiles } from '../../src/platform/config/config-schema.js';
import { AFTER, BEFORE, FILE_WORDS } from './config-doc-words.js';

/** Defaults that depend on the machine, in words. */
const DEFAULT_WORDS: Readonly<Record<string, string>> = {
  NodeName: 'the machine’s name',
  WorkerNum: 'one per core',
};

export function configDoc(): string {
  const files = Object.keys(configFiles) as ConfigFile[];
  const live = CONFIG_KEYS.filter(({ meta }) => meta.apply === 'live').map(({ path }) => `\`${path}\``);
  return [
    BEFORE,
    ...files.flatMap((file) => [FILE_WORDS[file], TABLE_HEAD, ...keysOf(file).map(row), '']),
    AFTER.replace('LIVE_KEYS', live.join(', ')),
  ].join('\n');
}

const TABLE_HEAD =
  '| key | takes | default | applies | environment | what it is |\n|---|---|---|---|---|---|';

function row(key: ConfigKey): string {
  const { meta } = key;
  const environment = key.kinds().has('function') ? '–' : `\`${key.envName}\``;
  const doc = meta.secret ? `${meta.doc} **Secret.**` : meta.doc;
  const takes = meta.unit === undefined ? key.expected() : `${key.expected()} (${meta.unit})`;
  const cells = [`\`${key.path}\``, takes, defaultOf(key), meta.apply, environment, doc];
  return `| ${cells.map((text) => text.replaceAll('|', '\\|')).join(' | ')} |`;
}

function defaultOf(key: ConfigKey): string {
  const words = DEFAULT_WORDS[key.path];
  if (words !== undefined) return words;
  const value: unknown = key.schema.parse(undefined);
  const isEmpty = value === null || value === '' || (Array.isArray(value) && value.length === 0);
  return isEmpty ? '–' : `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}
