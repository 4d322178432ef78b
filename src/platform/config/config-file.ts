/**
 * Reads one TypeScript file of an operator (bootstrap.ts, conf/…) at run time. It is read anew each time, so
 * that a reload sees what was edited. What it throws becomes a fault with file and line.
 */
import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type Context, createContext, runInContext } from 'node:vm';
import { errorText } from '../../shared/base/errors.js';
import { isCode } from '../instance/atomic-files.js';
import type { ConfigFault } from './config-fault.js';
import { readPlainModule } from './plain-module.js';
import { ReadingTime } from './reading-time.js';

export type ReadModule =
  | { readonly state: 'missing' }
  | { readonly state: 'faulty'; readonly fault: ConfigFault }
  | { readonly state: 'read'; readonly exports: Readonly<Record<string, unknown>> };

export type ReadConf =
  | { readonly state: 'missing' }
  | { readonly state: 'faulty'; readonly fault: ConfigFault }
  | { readonly state: 'read'; readonly values: Readonly<Record<string, unknown>> };

let tellReading: (file: string | null) => void = () => {};

/** Called with the file that begins to run, and with null when it is done, so that a crash can be blamed on that file. */
export function onReading(tell: (file: string | null) => void): void {
  tellReading = tell;
}

/** The exports of a file. */
export async function readModule(file: string, time = new ReadingTime()): Promise<ReadModule> {
  const there = lookFor(file);
  if (there !== 'read') return there;
  tellReading(file);
  try {
    const exports: unknown = await inTime(run(file, time), time);
    return { state: 'read', exports: isRecord(exports) ? exports : {} };
  } catch (error) {
    if (!isEndless(error)) return { state: 'faulty', fault: thrownFault(file, error) };
    time.isUp = true;
    return { state: 'faulty', fault: endlessFault(file, time) };
  } finally {
    tellReading(null);
  }
}

/** A file that this user may not look for is not taken for one that is not there: its keys would silently be defaults. */
function lookFor(file: string): 'read' | Exclude<ReadModule, { state: 'read' }> {
  const faulty = (problem: string, expected: string): ReadModule & { state: 'faulty' } => ({
    state: 'faulty',
    fault: { where: file, key: null, problem, expected },
  });
  try {
    const stats = statSync(file, { throwIfNoEntry: false });
    if (stats === undefined) return { state: 'missing' };
    if (stats.isFile()) return 'read';
    // A pipe or a device may never end: it would hold one of the few threads that read files, which nothing can break off.
    return faulty(stats.isDirectory() ? 'is a folder' : 'is a pipe, a socket or a device', 'a file');
  } catch (error) {
    if (isCode(error, 'ENOTDIR')) return { state: 'missing' };
    return faulty(`cannot be looked for: ${errorText(error)}`, 'a file that this user may read');
  }
}

async function run(file: string, time: ReadingTime): Promise<unknown> {
  const module = await readPlainModule(file, await readFile(file, 'utf8'));
  if (module !== null) return callInTime(module, time);
  const { createJiti } = await import('jiti');
  // No cache on disk: it would be written to a folder of whoever runs first, root or not.
  const jiti = createJiti(import.meta.url, { fsCache: false, moduleCache: false, interopDefault: false });
  return await jiti.import(file);
}

interface Call {
  call: () => unknown;
}
let caller: (Call & Context) | null = null;

/**
 * What the function answers; a loop in it is broken off, which no timer of this thread could do. After an `await`, and so in
 * a file that imports others, it is not: a running server reads files in a thread for that (read-again.ts).
 */
function callInTime(call: () => unknown, time: ReadingTime): unknown {
  caller ??= createContext({ call }) as Call & Context;
  caller.call = call;
  return runInContext('call()', caller, { timeout: time.leftMs });
}

/** It is made in the other context, so `instanceof Error` is false. */
function isEndless(error: unknown): boolean {
  return isRecord(error) && error['code'] === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
}

function endlessFault(file: string, { ms }: ReadingTime): ConfigFault {
  const problem = `was not read within ${ms} ms, the time of all files together; is there a loop in it that never ends?`;
  return { where: file, key: null, problem, expected: null };
}

async function inTime(reading: Promise<unknown>, time: ReadingTime): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const text = `it was not done within ${time.ms} ms, the time of all files together; is there an await at its top level that never ends?`;
    timer = setTimeout(() => {
      time.isUp = true;
      reject(new Error(text));
    }, time.leftMs);
  });
  try {
    return await Promise.race([reading, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The default export of a file in conf/, which must be a plain object. */
export async function readConf(file: string, time = new ReadingTime()): Promise<ReadConf> {
  const module = await readModule(file, time);
  if (module.state !== 'read') return module;
  const values = module.exports['default'];
  if (isPlain(values)) return { state: 'read', values };
  const problem =
    values === undefined
      ? 'has no default export'
      : values instanceof Promise
        ? 'exports by default a promise, without an await before it'
        : 'exports by default what is not a plain object';
  return {
    state: 'faulty',
    fault: { where: file, key: null, problem, expected: 'export default { … } with the keys of this file' },
  };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A Map, a promise or a class instance does not hold its values in own keys: all would be ignored, and the defaults taken. */
function isPlain(value: unknown): value is Record<string, unknown> {
  if (!isRecord(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** The line is in the text of a syntax error (`file:3:2`), or in the stack of one that was thrown. */
function thrownFault(file: string, error: unknown): ConfigFault {
  const trace = error instanceof Error ? `${errorText(error)}\n${error.stack ?? ''}` : '';
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
