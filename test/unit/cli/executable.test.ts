/** bin/spush.js: it must parse on Nodes that are too old, and says in one line what is needed when it cannot load the program. */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Parser } from 'acorn';
import { describe, expect, test } from 'vitest';
import { tempFolder } from '../../support/temp-folder.js';

const BIN = path.resolve(import.meta.dirname, '../../../bin');

/** The executable beside a built program of our own, or none. */
function installed(main: string | null): string {
  const folder = tempFolder();
  cpSync(BIN, path.join(folder, 'bin'), { recursive: true });
  if (main !== null) {
    mkdirSync(path.join(folder, 'dist/abc'), { recursive: true });
    writeFileSync(path.join(folder, 'dist/abc/main.js'), main);
    writeFileSync(path.join(folder, 'dist/current'), 'abc\n');
    writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}');
  }
  return folder;
}

function run(folder: string, version?: string) {
  const preload = path.join(folder, 'preload.cjs');
  const fake =
    version === undefined
      ? ''
      : `Object.defineProperty(process, 'versions', { value: { node: '${version}' } });`;
  writeFileSync(preload, fake);
  const result = spawnSync(process.execPath, ['-r', preload, path.join(folder, 'bin/spush.js'), 'a', '-b'], {
    encoding: 'utf8',
  });
  return { status: result.status, stdout: result.stdout, stderr: result.stderr };
}

const MAIN = `console.log(process.argv.slice(2).join(' ')); process.exitCode = 3;`;

describe('the executable', () => {
  test('is a script of ES2015, but for import()', () => {
    const text = readFileSync(path.join(BIN, 'spush.js'), 'utf8');
    expect(text.match(/\bimport\(/g)).toHaveLength(2);
    const script = text.replace('import(program)', 'load(program)');
    Parser.parse(script, { ecmaVersion: 2015, sourceType: 'script', allowHashBang: true });
    expect(JSON.parse(readFileSync(path.join(BIN, 'package.json'), 'utf8'))).toEqual({ type: 'commonjs' });
  });

  test.each([
    '12.0.0',
    '14.21.3',
    '18.20.4',
    '20.0.0',
    '20.18.3',
  ])('refuses Node %s in one line', (version) => {
    const { status, stdout, stderr } = run(installed(MAIN), version);
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toBe(`spush needs Node 20.19 or newer; this is Node ${version} (${process.execPath})\n`);
  });

  test.each([
    undefined,
    '20.19.0',
    '22.0.0',
    '24.1.0',
    '100.0.0',
  ])('runs the program on Node %s', (version) => {
    expect(run(installed(MAIN), version)).toEqual({ status: 3, stdout: 'a -b\n', stderr: '' });
  });

  test.each([
    [
      'not installed',
      false,
      'spush is not installed: run `npm ci --omit=dev` in FOLDER, which builds it too',
    ],
    ['not built', true, 'spush is not built: run `npm run build` in FOLDER'],
  ])('says what to do where it is %s', (_what, hasPackages, text) => {
    const folder = installed(null);
    if (hasPackages) symlinkSync(path.join(BIN, '../node_modules'), path.join(folder, 'node_modules'));
    const { status, stderr } = run(folder);
    expect(status).toBe(1);
    expect(stderr).toBe(`${text.replace('FOLDER', folder)}\n`);
  });

  test('says which package is missing', () => {
    const folder = installed(`import 'no-such-package';`);
    const { status, stderr } = run(folder);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^spush is not installed as a whole: Cannot find package 'no-such-package' .*; run `npm ci --omit=dev` in .*\n$/,
    );
  });

  test('a fault of the program keeps its stack', () => {
    const { status, stderr } = run(installed(`throw new Error('my fault');`));
    expect(status).toBe(1);
    expect(stderr).toMatch(/Error: my fault\n +at /);
  });

  test.skipIf(process.getuid?.() !== 0)('of a build that this user may not read, says that', () => {
    const folder = installed(MAIN);
    chmodSync(folder, 0o755);
    chmodSync(path.join(folder, 'dist'), 0o700);
    const as = { uid: 65534, gid: 65534, encoding: 'utf8' } as const;
    const { status, stderr } = spawnSync(process.execPath, [path.join(folder, 'bin/spush.js')], as);
    expect(status).toBe(1);
    expect(stderr).toContain('spush cannot be read by this user: EACCES');
  });

  test('what bootstrap.ts prints is not in the result', () => {
    const folder = tempFolder({ 'bootstrap.ts': `console.log('hello of mine'); export const PUSHENV = 0;` });
    const args = [path.join(BIN, 'spush.js'), 'config', 'show', '--json'];
    const env = { PATH: process.env['PATH'], SPUSH_ROOT: folder };
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env });
    expect(status, stderr).toBe(0);
    expect(JSON.parse(stdout)).toBeTypeOf('object');
    expect(stderr).toContain('hello of mine');
  });
});
