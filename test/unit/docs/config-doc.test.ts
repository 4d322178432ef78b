/** Holds docs/CONFIG.md to the declarations of the keys: it is made from them. */
import { expect, test } from 'vitest';
import { CONFIG_KEYS } from '../../../src/platform/config/config-keys.js';
import { configDoc } from '../../support/config-doc.js';
import { expectKeptFile, repositoryFile } from '../../support/kept-file.js';

test('docs/CONFIG.md is what the declarations say', () => {
  expectKeptFile('docs/CONFIG.md', configDoc());
});

test('every key has its row, with its name in the environment', () => {
  const rows = repositoryFile('docs/CONFIG.md').split('\n');
  for (const { path, envName, kinds, meta } of CONFIG_KEYS) {
    const row = rows.find((line) => line.startsWith(`| \`${path}\` |`)) ?? '';
    expect(row, path).toContain(`| ${meta.apply} |`);
    if (!kinds().has('function')) expect(row, path).toContain(`\`${envName}\``);
    expect(row.includes('**Secret.**'), path).toBe(meta.secret === true);
  }
});
