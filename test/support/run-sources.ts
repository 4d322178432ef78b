/** Flags of Node with which a process or thread runs the sources: `import('/…/src/x.ts')`. */
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

export const RUN_SOURCES: readonly string[] = [
  '--import',
  pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href,
];

/** A file of src/, for a program that imports it. */
export function sourceFile(name: string): string {
  return path.resolve(import.meta.dirname, '../../src', name);
}
