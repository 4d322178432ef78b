/**
 * `spush config show`: every key with its value, secrets masked, and where the value came from, as a start from this shell
 * would have it; and where a server runs, which of its values differ and why. With a word only the key of this name, or those
 * that begin with it.
 */
import { relative } from 'node:path';
import { CONFIG_KEYS } from '../../platform/config/config-keys.js';
import type { ConfigRow } from '../../platform/config/describe-config.js';
import { EXIT, SpushError } from '../../shared/base/errors.js';
import { didYouMean } from '../../shared/base/nearest.js';
import type { RunningKey } from '../../shared/protocol/control-commands.js';
import { type CliAction, JSON_OPTION } from '../action.js';
import { configValue } from '../config-value.js';
import { failureOf } from '../failure.js';
import { loadHere } from '../load-here.js';
import { askRunningConfig, type RunningConfig } from '../running-config.js';
import { printRunning, type RunningFacts, runningFacts } from '../running-report.js';
import { loadOptionsOf, modeOf, START_OPTIONS } from '../start-options.js';
import { type Column, type Row, renderTable } from '../table.js';

export const configShow: CliAction = {
  name: 'show',
  doc: 'print every key, its value and where it came from, and what the running server has; secrets are masked',
  saidAs: ['get', 'list', 'ls', 'print'],
  options: [...START_OPTIONS, JSON_OPTION],
  words: { label: '[KEY]', max: 1 },
  run: async (context, options) => {
    const { terminal } = context;
    const [word] = options.words;
    const isWanted = word === undefined ? () => true : keysNamed(word);
    const here = await loadHere(loadOptionsOf(context, options));
    const running = await askRunningConfig(context, options, here.digests);
    // Nothing is known of any key.
    if (here.fault !== null && running.state !== 'answered') throw here.fault;
    const rows = here.loaded === null ? [] : here.rows.filter(({ key }) => isWanted(key));
    const runningKeys = keysOf(running).filter(({ key }) => isWanted(key));
    const all = runningFacts(running, here.rows);
    const facts = { ...all, differences: all.differences.filter(({ key }) => isWanted(key)) };
    if (options.flag('json')) {
      const { differences: _, ...server } = facts;
      const faults = here.fault?.detail['faults'] ?? [];
      const error = here.fault === null ? {} : { error: failureOf(here.fault) };
      terminal.printJson({ keys: jsonKeys(rows, runningKeys, facts), running: server, faults, ...error });
    } else {
      const root = here.loaded?.config.paths.root ?? null;
      const shown = { rows, runningKeys, root, one: word !== undefined };
      terminal.print(renderTable(...tableOf(shown), { width: terminal.width }));
      printRunning(context, facts, { mode: modeOf(options), root, told: here.fault?.message ?? null });
      if (here.fault !== null) terminal.printError(here.fault.message);
    }
    return here.fault?.exitCode ?? EXIT.done;
  },
};

const ALL_KEYS = ['PUSHENV', ...CONFIG_KEYS.map(({ path }) => path)];

/** The key of this name, else all that begin so; how it is written in capitals does not matter. */
function keysNamed(word: string): (key: string) => boolean {
  const wanted = word.toLowerCase();
  const exact = ALL_KEYS.filter((key) => key.toLowerCase() === wanted);
  const found = exact.length > 0 ? exact : ALL_KEYS.filter((key) => key.toLowerCase().startsWith(wanted));
  if (word === '' || found.length === 0) {
    const text = `${word === '' ? 'an empty word' : word} is not a key of the configuration.`;
    throw new SpushError(
      'CONFIG_KEY_UNKNOWN',
      `${text}${didYouMean(word, ALL_KEYS)} spush config show lists all`,
    );
  }
  return (key) => found.includes(key);
}

function keysOf(running: RunningConfig): readonly RunningKey[] {
  return running.state === 'answered' ? running.keys : [];
}

interface Shown {
  readonly rows: readonly ConfigRow[];
  readonly runningKeys: readonly RunningKey[];
  readonly root: string | null;
  /** A key was asked for: then what the running server has stands beside it. */
  readonly one: boolean;
}

function tableOf({ rows, runningKeys, root, one }: Shown): [Column[], Row[]] {
  const place = (source: string, from: string | null): string =>
    source.startsWith('/') && from !== null ? relative(from, source) : source;
  const running = new Map(runningKeys.map((key) => [key.key, key]));
  if (root === null) {
    const columns = [{ key: 'key' }, { key: 'running' }, { key: 'source' }];
    return [
      columns,
      runningKeys.map(({ key, value, source }) => ({ key, running: configValue(value, null), source })),
    ];
  }
  const cells = rows.map(({ key, value, unit, source, apply }) => {
    const now = running.get(key);
    return {
      key,
      value: configValue(value, unit),
      source: place(source, root),
      apply,
      running: now === undefined ? '-' : configValue(now.value, unit),
    };
  });
  const columns = [{ key: 'key' }, { key: 'value' }, { key: 'source' }, { key: 'apply' }];
  return [one && running.size > 0 ? [...columns, { key: 'running' }] : columns, cells];
}

/** Every key has the same parts, whatever is known of it. */
function jsonKeys(
  rows: readonly ConfigRow[],
  runningKeys: readonly RunningKey[],
  { differences }: RunningFacts,
): unknown[] {
  const here = new Map(rows.map((row) => [row.key, row]));
  const running = new Map(runningKeys.map((key) => [key.key, key]));
  const different = new Map(differences.map((difference) => [difference.key, difference]));
  return [...new Set([...here.keys(), ...running.keys()])].map((key) => {
    const { file = null, value = null, source = null, unit = null } = here.get(key) ?? {};
    const now = running.get(key);
    const { why = null, needs = null, text = null } = different.get(key) ?? {};
    return {
      file,
      key,
      value,
      source,
      apply: here.get(key)?.apply ?? now?.apply ?? null,
      unit,
      running:
        now === undefined ? null : { value: now.value, source: now.source, same: now.same, why, needs, text },
    };
  });
}
