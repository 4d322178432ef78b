import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readModule } from '../../../../src/platform/config/config-file.js';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'spush-file-'));
  file = path.join(folder, 'bootstrap.ts');
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('a file of an operator', () => {
  test('is read, with an await at its top level', async () => {
    writeFileSync(file, 'await Promise.resolve();\nexport const PUSHENV: number = 1;\n');
    expect(await readModule(file)).toMatchObject({ state: 'read', exports: { PUSHENV: 1 } });
  });

  test('that never ends its reading is a fault, and nobody waits for it', async () => {
    writeFileSync(file, 'export const PUSHENV = 0;\nawait new Promise(() => {});\n');
    const read = await readModule(file, 300);
    expect(read).toMatchObject({ state: 'faulty' });
    if (read.state === 'faulty') expect(read.fault.problem).toContain('not done within 300 ms');
  });
});
