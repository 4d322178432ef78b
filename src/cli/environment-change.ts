/**
 * What a start or restart would change of the environment, in words: from what to what, and which variable or file says so.
 * Another database server of the same kind is an ordinary change of the configuration: it is told, and needs no consent.
 */
import type { PushEnv } from '../platform/config/config-schema.js';
import { shellWord } from '../shared/base/shell-word.js';
import type { Environment } from '../shared/protocol/environment.js';
import { envText } from './env-text.js';
import { isSameFolder } from './folders.js';

/** The environment that a start would take; where messages are kept is not known while the configuration is faulty. */
export type NewEnvironment = Omit<Environment, 'store'> & { readonly store: string | null };

export interface EnvironmentChange {
  readonly what: 'PUSHENV' | 'messages' | 'SPUSH_ROOT';
  readonly from: string;
  readonly to: string;
  /** Who says so, then and now. */
  readonly why: string | null;
}

/** @param variables of the shell in which the command was typed. */
export function changesOf(
  before: Environment,
  after: NewEnvironment,
  variables: NodeJS.ProcessEnv,
): EnvironmentChange[] {
  const changes: EnvironmentChange[] = [];
  if (before.env !== after.env) {
    changes.push({
      what: 'PUSHENV',
      from: envText(before.env),
      to: envText(after.env),
      why: whoSays(before, after, variables),
    });
  }
  if (kindOf(before.env) !== kindOf(after.env)) {
    changes.push({ what: 'messages', from: before.store, to: after.store ?? kindOf(after.env), why: null });
  }
  if (isOtherRoot(before, after)) {
    const why = variables['SPUSH_ROOT']
      ? 'the variable SPUSH_ROOT says so'
      : 'SPUSH_ROOT is not set here, so it goes by the folder in which this was typed';
    changes.push({ what: 'SPUSH_ROOT', from: before.root, to: after.root, why });
  }
  return changes;
}

/** What is worth a line, and is no other environment; null: nothing. */
export function movedStore(before: Environment, after: NewEnvironment): string | null {
  if (kindOf(before.env) !== kindOf(after.env) || after.store === null) return null;
  if (before.store === after.store) return null;
  // In a home that was moved as a whole the file is the same.
  const isSame = before.store.replace(before.home, '') === after.store.replace(after.home, '');
  return isSame ? null : `messages are kept in ${after.store} from now on, before in ${before.store}`;
}

export function changeLines(changes: readonly EnvironmentChange[]): string {
  return changes
    .map(({ what, from, to, why }) => `  ${what}: ${from} → ${to}${why === null ? '' : `\n    ${why}`}`)
    .join('\n');
}

/** The variables with which the environment stays as it was. */
export function keepingVariables(before: Environment, changes: readonly EnvironmentChange[]): string {
  const set: string[] = [];
  if (changes.some(({ what }) => what === 'PUSHENV')) set.push(`PUSHENV=${before.env}`);
  if (changes.some(({ what }) => what === 'SPUSH_ROOT')) set.push(`SPUSH_ROOT=${shellWord(before.root)}`);
  return set.join(' ');
}

function kindOf(env: PushEnv): string {
  return env === 0 ? 'a file of this machine' : 'a database server';
}

function sayer(source: string): string {
  if (source === 'PUSHENV') return 'the variable PUSHENV';
  return source === 'default' ? 'the default' : source;
}

function whoSays(before: Environment, after: NewEnvironment, variables: NodeJS.ProcessEnv): string {
  const wasVariable = before.envSource === 'PUSHENV';
  const isUnset = wasVariable && !variables['PUSHENV'];
  const then = `${sayer(before.envSource)} said ${before.env}${isUnset ? ' and is not set here' : ''}`;
  const isSame = before.envSource === after.envSource;
  return `${then}; ${isSame ? 'it' : sayer(after.envSource)} says ${after.env} now`;
}

function isOtherRoot(before: Environment, after: NewEnvironment): boolean {
  // Root equal to home both times: the installation was moved. Root equal to the program's folder both times: another release.
  // Neither is another root.
  for (const other of ['home', 'program'] as const) {
    if (isSameFolder(before.root, before[other]) && isSameFolder(after.root, after[other])) return false;
  }
  return !isSameFolder(before.root, after.root);
}
