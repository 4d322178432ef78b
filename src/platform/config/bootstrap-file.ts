/**
 * bootstrap.ts: which environment this is (PUSHENV). The environment variable PUSHENV wins over the file. Without either a
 * folder that has nothing to configure is PUSHENV 0; one with a conf/ has lost its bootstrap.ts, and nothing is guessed.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { nearestNames } from '../../shared/base/nearest.js';
import { type ConfigFault, valueText } from './config-fault.js';
import { isRecord, readModule } from './config-file.js';
import { ENV_NAMES, type PushEnv } from './config-schema.js';
import type { ConfigSource } from './config-source.js';
import { ReadingTime } from './reading-time.js';

export interface PushEnvRead {
  /** Null when it is faulty: then nothing can be said about the files that depend on it. */
  readonly env: PushEnv | null;
  /** What the file alone says, whatever the environment says; null when it says nothing, or nothing that makes sense. */
  readonly envInFile: PushEnv | null;
  readonly source: ConfigSource;
  /** Null when there is no such file. */
  readonly file: string | null;
  /** What the file exports; null when it could not be read, or is not there. */
  readonly exports: Readonly<Record<string, unknown>> | null;
  readonly faults: readonly ConfigFault[];
}

const EXPECTED = Object.entries(ENV_NAMES)
  .map(([number, name]) => `${number} (${name})`)
  .join(', ');

export async function readPushEnv(
  root: string,
  variables: NodeJS.ProcessEnv,
  time = new ReadingTime(),
): Promise<PushEnvRead> {
  const file = join(root, 'bootstrap.ts');
  const module = await readModule(file, time);
  const text = variables['PUSHENV'];
  const fromFile = module.state === 'read' ? pushEnvOf(module.exports) : undefined;
  const faults: ConfigFault[] = [];
  if (module.state === 'faulty') faults.push(module.fault);
  if (module.state === 'read') faults.push(...misspelt(file, module.exports));
  const read = {
    file: module.state === 'missing' ? null : file,
    exports: module.state === 'read' ? module.exports : null,
    envInFile: fromFile === undefined ? null : toPushEnv(fromFile),
  };

  if (fromFile !== undefined && toPushEnv(fromFile) === null) faults.push(wrong(file, fromFile));
  if (text !== undefined && text !== '') {
    const env = /^\d$/.test(text) ? toPushEnv(Number(text)) : null;
    if (env === null) faults.push(wrong('PUSHENV', text));
    return { env, source: { kind: 'environment', name: 'PUSHENV' }, ...read, faults };
  }
  if (module.state === 'faulty') return { env: null, source: { kind: 'file', path: file }, ...read, faults };
  if (fromFile === undefined) {
    const conf = confIn(root);
    if (conf === null) return { env: 0, source: { kind: 'default' }, ...read, faults };
    // A misspelt name has been told already.
    if (faults.length === 0) faults.push(unsaid(file, module.state === 'missing', conf));
    return { env: null, source: { kind: 'default' }, ...read, faults };
  }
  return { env: toPushEnv(fromFile), source: { kind: 'file', path: file }, ...read, faults };
}

/** What there is to configure in this root: then it matters which environment it is. */
function confIn(root: string): string | null {
  const names = ['SystemConf.ts', ENV_NAMES[1], ENV_NAMES[2]];
  return names.map((name) => join(root, 'conf', name)).find((path) => existsSync(path)) ?? null;
}

function unsaid(file: string, isMissing: boolean, conf: string): ConfigFault {
  const what = isMissing ? 'is missing' : 'does not say PUSHENV';
  return {
    where: file,
    key: null,
    problem: `${what}, and there is ${conf}, so it is not known which environment this is`,
    expected: `export const PUSHENV = … here, or the variable PUSHENV: ${EXPECTED}`,
  };
}

/** `export const PUSHENV = 0`, or PUSHENV in the default export. */
function pushEnvOf(exports: Readonly<Record<string, unknown>>): unknown {
  const whole = exports['default'];
  return exports['PUSHENV'] ?? (isRecord(whole) ? whole['PUSHENV'] : undefined);
}

function toPushEnv(value: unknown): PushEnv | null {
  return value === 0 || value === 1 || value === 2 ? value : null;
}

function wrong(where: string, value: unknown): ConfigFault {
  const key = where === 'PUSHENV' ? null : 'PUSHENV';
  return { where, key, problem: `is ${valueText(value)}`, expected: EXPECTED };
}

/** Operators may export what they like beside it; a near miss would silently mean 0. */
function misspelt(file: string, exports: Readonly<Record<string, unknown>>): ConfigFault[] {
  const whole = exports['default'];
  const names = [...Object.keys(exports), ...(isRecord(whole) ? Object.keys(whole) : [])];
  return names
    .filter((name) => name !== 'PUSHENV' && nearestNames(name.replaceAll('_', ''), ['PUSHENV']).length > 0)
    .map((name) => ({
      where: file,
      key: name,
      problem: 'is not known. Did you mean PUSHENV?',
      expected: null,
    }));
}
