import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readConf, readModule } from '../../../../src/platform/config/config-file.js';
import { ReadingTime } from '../../../../src/platform/config/reading-time.js';
import { tempFolder } from '../../../support/temp-folder.js';

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
    const read = await readModule(file, new ReadingTime(300));
    expect(read).toMatchObject({ state: 'faulty' });
    if (read.state === 'faulty') expect(read.fault.problem).toContain('not done within 300 ms');
  });
});

test('a file that loops is a fault, and nobody waits for it', async () => {
  const folder = tempFolder({ 'conf.ts': 'export default 1; while (true) {}' });
  expect(await readModule(`${folder}/conf.ts`, new ReadingTime(300))).toMatchObject({
    state: 'faulty',
    fault: { where: `${folder}/conf.ts`, problem: expect.stringContaining('was not read within 300 ms') },
  });
});

test.each([
  ['throw null', 'null'],
  ['throw Object.create(null)', '[object Object]'],
])('what has no text is told all the same: %s', async (text, told) => {
  const folder = tempFolder({ 'bootstrap.ts': text });
  expect(await readModule(`${folder}/bootstrap.ts`)).toMatchObject({
    fault: { problem: `throws when it is read: ${told}` },
  });
});

test('a folder in the place of a file is named', async () => {
  const folder = tempFolder({ 'bootstrap.ts/x': '' });
  expect(await readModule(`${folder}/bootstrap.ts`)).toMatchObject({
    state: 'faulty',
    fault: { problem: 'is a folder', expected: 'a file' },
  });
});

test('a file that cannot be looked for is not taken for one that is missing', async () => {
  const folder = tempFolder();
  symlinkSync('loop', `${folder}/loop`);
  expect(await readModule(`${folder}/loop/bootstrap.ts`)).toMatchObject({
    state: 'faulty',
    fault: { problem: expect.stringContaining('cannot be looked for: ELOOP') },
  });
  expect(await readModule(`${folder}/none/bootstrap.ts`)).toEqual({ state: 'missing' });
});

test('a pipe in the place of a file is named, and not waited for', async () => {
  const folder = tempFolder();
  execFileSync('mkfifo', [`${folder}/bootstrap.ts`]);
  expect(await readModule(`${folder}/bootstrap.ts`)).toMatchObject({
    state: 'faulty',
    fault: { problem: 'is a pipe, a socket or a device' },
  });
});

test.each([
  ['Promise.resolve({ Port: 1 })', 'a promise, without an await before it'],
  ['new Map([["Port", 1]])', 'what is not a plain object'],
  ['new (class { get Port() { return 1; } })()', 'what is not a plain object'],
  ['[{ Port: 1 }]', 'what is not a plain object'],
  ['() => ({ Port: 1 })', 'what is not a plain object'],
])('a file whose keys would not be seen is a fault: export default %s', async (value, told) => {
  const folder = tempFolder({ 'conf.ts': `export default ${value};` });
  expect(await readConf(`${folder}/conf.ts`)).toMatchObject({
    state: 'faulty',
    fault: { problem: `exports by default ${told}` },
  });
});

test.each([
  '{ Port: 1 }',
  'await Promise.resolve({ Port: 1 })',
  'Object.assign(Object.create(null), { Port: 1 })',
])('the keys of a file are read: export default %s', async (value) => {
  const folder = tempFolder({ 'conf.ts': `export default ${value};` });
  expect(await readConf(`${folder}/conf.ts`)).toMatchObject({ state: 'read', values: { Port: 1 } });
});
