/**
 * A file in the repository that is made from the code. The test compares; with SPUSH_TEST_UPDATE=1 it writes the file
 * instead, and what has changed is then seen in the diff.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../..');

export function repositoryFile(name: string): string {
  return readFileSync(path.join(ROOT, name), 'utf8');
}

export function expectKeptFile(name: string, text: string): void {
  if (process.env['SPUSH_TEST_UPDATE'] === '1') writeFileSync(path.join(ROOT, name), text);
  expect(repositoryFile(name), `${name} is old: run this test with SPUSH_TEST_UPDATE=1`).toBe(text);
}
