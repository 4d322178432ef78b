/** In which keys the running server differs from the files and from this shell, why, and what makes them the same. */
import { relative } from 'node:path';
import type { ConfigRow } from '../platform/config/describe-config.js';
import type { ReadKey, RunningKey } from '../shared/protocol/control-commands.js';
import { configValue } from './config-value.js';

/**
 * configSet: set while it runs; environment, commandLine: of its start; file: changed there and not applied yet; shell: this
 * shell sets it, for a start from here; other: this shell arrives at another value, e.g. by a default that differs.
 */
export type Why = 'configSet' | 'environment' | 'commandLine' | 'file' | 'shell' | 'other';

export interface Difference {
  readonly key: string;
  readonly why: Why;
  /** What makes the change of a file count; null where no file was changed. */
  readonly needs: 'reload' | 'restart' | null;
  /** In words: `20000, set with "spush config set"; a reload goes back to 10000`. */
  readonly text: string;
}

/** Null: it does not differ. @param here the key in this shell; null when the configuration of this shell is faulty */
export function differenceOf(running: RunningKey, here: ConfigRow | null, root: string): Difference | null {
  const found = reasonOf(running, here, root);
  if (found === null) return null;
  const { key, next, apply } = running;
  const needs = found.why !== 'file' || next === null ? null : apply === 'live' ? 'reload' : 'restart';
  const how = needs === null ? '' : `: needs spush server ${needs}`;
  const value = configValue(running.value, here?.unit ?? null);
  return { key, why: found.why, needs, text: `${value}, ${found.text}${how}` };
}

function reasonOf(
  running: RunningKey,
  here: ConfigRow | null,
  root: string,
): { readonly why: Why; readonly text: string } | null {
  const { from, source, next, inFiles } = running;
  const instead = (other: Pick<ReadKey, 'value'>): string => insteadOf(running, other, here?.unit ?? null);
  const files = inFiles === null ? null : `the files say ${instead(inFiles)}`;
  const shell = here === null || running.same !== false ? null : `this shell has ${instead(here)}`;
  const elsewhere = files ?? shell;
  switch (from) {
    case 'configSet': {
      const otherwise = next === null ? elsewhere : `a reload goes back to ${instead(next)}`;
      return otherwise === null ? null : { why: from, text: `set with "spush config set"; ${otherwise}` };
    }
    case 'environment':
      // This shell has the same variable, as every shell of an installation whose secrets are in the environment has.
      if (running.same === true && here?.source === source) return null;
      return elsewhere === null
        ? null
        : { why: from, text: `as ${source} was set where it was started; ${elsewhere}` };
    case 'commandLine':
      return elsewhere === null
        ? null
        : { why: from, text: `by the command line of its start; ${elsewhere}` };
    case 'default':
    case 'file':
      if (next !== null) return { why: 'file', text: `but ${nextText(next, root)} ${instead(next)}` };
      if (here === null || shell === null) return null;
      if (isOfShell(here.source))
        return { why: 'shell', text: `but ${here.source} of this shell says ${instead(here)}` };
      return { why: 'other', text: `but this shell reads ${instead(here)} (${here.source})` };
  }
}

function nextText({ from, source }: ReadKey, root: string): string {
  return from === 'file'
    ? `${relative(root, source)} now says`
    : 'no file says it any more, and the default is';
}

/** A variable or the command line, not a file or the default. */
function isOfShell(source: string): boolean {
  return source !== 'default' && !source.startsWith('/');
}

/** Of two values that look alike because they are masked only that they differ can be said. */
function insteadOf(running: RunningKey, { value }: Pick<ReadKey, 'value'>, unit: string | null): string {
  const text = configValue(value, unit);
  return text === configValue(running.value, unit) ? 'another value' : text === '' ? 'nothing' : text;
}
