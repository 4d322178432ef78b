import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { readModule } from '../../../../src/platform/config/config-file.js';
import { readPlainModule } from '../../../../src/platform/config/plain-module.js';
import { PACKAGE_ROOT } from '../../../../src/platform/program/program-files.js';
import { tempFolder } from '../../../support/temp-folder.js';

const FILE = '/srv/conf/x.ts';

test('runs a file with types, enums, Node’s own modules and an await at its top level', async () => {
  const text = `
    import { basename } from 'node:path';
    import type { Nothing } from './nowhere.js';
    enum Kind { A = 7 }
    const name: string = await Promise.resolve(basename(__filename));
    export default { name, kind: Kind.A, token: (key: string) => key satisfies string } as const;
    export const PUSHENV = 2 as 0 | 1 | 2;`;
  const exports = await (await readPlainModule(FILE, text))?.();
  expect(exports).toMatchObject({ PUSHENV: 2, default: { name: 'x.ts', kind: 7 } });
});

test('the files as shipped stand alone', async () => {
  const files = ['bootstrap.ts', 'conf/SystemConf.ts'];
  for (const env of ['Test', 'Online'])
    files.push(...readdirSync(path.join(PACKAGE_ROOT, 'conf', env)).map((name) => `conf/${env}/${name}`));
  for (const name of files) {
    const file = path.join(PACKAGE_ROOT, name);
    expect(await readPlainModule(file, readFileSync(file, 'utf8')), name).not.toBeNull();
  }
});

test.each([
  ['a file beside it', `import { x } from './x.js'; export default { x };`],
  ['a file beside it that is exported again', `export * from './x.js';`],
  ['a package', `import zod from 'zod'; export default { zod };`],
  ['import()', `export default { x: await import('node:path') };`],
  ['import.meta', `export default { x: import.meta.url };`],
  ['require', `const fs = require('node:fs'); export default {};`],
  ['module.exports', `module.exports = { PUSHENV: 0 };`],
  ['export =', `const conf = { PUSHENV: 0 };\nexport = conf;`],
  ['what does not parse', `export default { x: };`],
  ['what sucrase takes and Node does not', `const a = 1; const a = 2; export default { a };`],
])('leaves %s to the general compiler, and runs nothing of it', async (_what, text) => {
  const key = `ran${Math.random()}`;
  expect(await readPlainModule(FILE, `${text}\nglobalThis['${key}'] = true;`)).toBeNull();
  expect(Reflect.get(globalThis, key)).toBeUndefined();
});

test('a comment that speaks of a module needs none', async () => {
  expect(await readPlainModule(FILE, '// As a module.\nexport default { x: 1 };')).not.toBeNull();
});

test.each([
  'module.exports = { PUSHENV: 2 };',
  'export = { PUSHENV: 2 };',
  'exports.PUSHENV = 2;',
])('what a file of CommonJS exports is read: %s', async (text) => {
  const folder = tempFolder({ 'bootstrap.ts': text });
  expect(await readModule(path.join(folder, 'bootstrap.ts'))).toEqual({
    state: 'read',
    exports: { PUSHENV: 2 },
  });
});

test('what a file throws has the line of the file', async () => {
  const folder = tempFolder({ 'a.ts': `type A = 1;\n\nexport default {\n  a: nothing.here,\n};\n` });
  const file = path.join(folder, 'a.ts');
  expect(await readModule(file)).toMatchObject({
    state: 'faulty',
    fault: { where: `${file}:4`, problem: 'throws when it is read: nothing is not defined' },
  });
});

test('both compilers read the same out of a file', async () => {
  const text = `export const a: number = 1;\nexport default { b: [a, 'x'] };\nexport { a as c };`;
  const folder = tempFolder({
    'plain.ts': text,
    'other.ts': '',
    'general.ts': `${text}\nimport './other.js';`,
  });
  const [plain, general] = [
    await readModule(path.join(folder, 'plain.ts')),
    await readModule(path.join(folder, 'general.ts')),
  ];
  expect(plain.state).toBe('read');
  expect(plain).toEqual(general);
});
