/**
 * Reads one TypeScript file of an operator (bootstrap.ts, conf/…) at run time with jiti. It is read anew each time, so
 * that a reload sees what was edited. What it throws becomes a fault with file and line.
 */
import { existsSync } from 'node:fs';
import { createJiti } from 'jiti';
import { errorText } from '../../shared/base/errors.js';
import type { ConfigFault } from './config-fault.js';

export type ReadModule =
  | { readonly state: 'missing' }
  | { readonly state: 'faulty'; readonly fault: ConfigFault }
  | { readonly state: 'read'; readonly exports: Readonly<Record<string, unknown>> };

export type ReadConf =
  | { readonly state: 'missing' }
  | { readonly state: 'faulty'; readonly fault: ConfigFault }
  | { readonly state: 'read'; readonly values: Readonly<Record<string, unknown>> };

/** A file that waits for something at its top level gets so long; then it is faulty, and nobody waits for it. */
const READ_MS = 10_000;

/** The exports of a file. */
export async function readModule(file: string, deadlineMs = READ_MS): Promise<ReadModule> {
  if (!existsSync(file)) return { state: 'missing' };
  // No cache on disk: it would be written to a folder of whoever runs first, root or not.
  const jiti = createJiti(import.meta.url, { fsCache: false, moduleCache: false, interopDefault: false });
  try {
    const exports: unknown = await withinDeadline(jiti.import(file), deadlineMs);
    return { state: 'read', exports: isRecord(exports) ? exports : {} };
  } catch (error) {
    return { state: 'faulty', fault: thrownFault(file, error) };
  }
}

async function withinDeadline(reading: Promise<unknown>, deadlineMs: number): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const text = `it was not done within ${deadlineMs} ms; is there an await at its top level that never ends?`;
    timer = setTimeout(() => reject(new Error(text)), deadlineMs);
  });
  try {
    return await Promise.race([reading, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The default export of a file in conf/, which must be a plain object. */
export async function readConf(file: string): Promise<ReadConf> {
  const module = await readModule(file);
  if (module.state !== 'read') return module;
  const values = module.exports['default'];
  if (isRecord(values)) return { state: 'read', values };
  const problem = values === undefined ? 'has no default export' : 'exports by default what is not an object';
  return {
    state: 'faulty',
    fault: { where: file, key: null, problem, expected: 'export default { … } with the keys of this file' },
  };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The line is in the text of a syntax error (`file:3:2`), or in the stack of one that was thrown. */
function thrownFault(file: string, error: unknown): ConfigFault {
  const trace = error instanceof Error ? `${error.message}\n${error.stack ?? ''}` : '';
  const after = trace.indexOf(`${file}:`);
  const line = after < 0 ? null : /^\d+/.exec(trace.slice(after + file.length + 1));
  const [text = ''] = errorText(error).split('\n');
  const parse = /^ParseError: (.*)$/.exec(text.trim());
  return {
    where: line === null ? file : `${file}:${line[0]}`,
    key: null,
    problem: parse ? `does not parse: ${parse[1]?.trim()}` : `throws when it is read: ${text}`,
    expected: null,
  };
}
