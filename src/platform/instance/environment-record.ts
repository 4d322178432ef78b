/**
 * `Data/{mode}.environment.json`: in which environment the data beside it was written last. A start compares it with its own,
 * so that messages of one environment are not left behind, or pushed to readers of another, because a shell lacks a variable.
 * It is written when a server is ready, and nothing depends on it: without it, or when it says nothing, a start goes on.
 */
import { join } from 'node:path';
import { errorText } from '../../shared/base/errors.js';
import { type Environment, environmentSchema } from '../../shared/protocol/environment.js';
import type { Paths } from '../config/config-schema.js';
import { sourceText } from '../config/config-source.js';
import type { SourcedConfig } from '../config/key-readings.js';
import { PACKAGE_ROOT } from '../program/program-files.js';
import { storeText } from '../store/store-files.js';
import { readIfThere, replaceFile, whatIsWrong } from './atomic-files.js';

export type EnvironmentRecord =
  | { readonly state: 'none' }
  | { readonly state: 'known'; readonly environment: Environment }
  /** It is there and cannot be read, or makes no sense. */
  | { readonly state: 'unknown'; readonly reason: string };

export function environmentRecordFile({ data }: Pick<Paths, 'data'>, mode: string): string {
  return join(data, `${mode}.environment.json`);
}

export function environmentOf({ config, sources }: SourcedConfig): Environment {
  const { root, home } = config.paths;
  const envSource = sourceText(sources.get('PUSHENV') ?? { kind: 'default' });
  return { env: config.env, envSource, root, home, program: PACKAGE_ROOT, store: storeText(config) };
}

/** Never rejects. */
export async function readEnvironmentRecord(file: string): Promise<EnvironmentRecord> {
  try {
    const text = await readIfThere(file);
    if (text === null) return { state: 'none' };
    const environment = parse(text);
    if (environment) return { state: 'known', environment };
    return { state: 'unknown', reason: whatIsWrong(text, 'it is cut off or garbled') };
  } catch (error) {
    return { state: 'unknown', reason: errorText(error) };
  }
}

/** Writes it, unless it says the same already. Answers whether it had to. */
export async function keepEnvironmentRecord(file: string, environment: Environment): Promise<boolean> {
  const text = `${JSON.stringify(environment)}\n`;
  if ((await textOf(file)) === text) return false;
  await replaceFile(file, text);
  return true;
}

/** What cannot be read is to be replaced, for which the folder must be ours, and not the file. */
async function textOf(file: string): Promise<string | null> {
  try {
    return await readIfThere(file);
  } catch {
    // Whether it can be replaced is told by that.
    return null;
  }
}

function parse(text: string): Environment | null {
  try {
    return environmentSchema.parse(JSON.parse(text));
  } catch {
    // Whoever asks says what is wrong with the text.
    return null;
  }
}
