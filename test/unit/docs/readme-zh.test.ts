/** Holds README.zh-CN.md to the code: what it says to type is a command that exists, with options that it takes. */
import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { GROUPS } from '../../../src/cli/program.js';
import { EXIT } from '../../../src/shared/base/errors.js';
import { SWEEP_JOBS } from '../../../src/shared/domain/kind.js';
import { repositoryFile } from '../../support/kept-file.js';

const ROOT = new URL('../../../', import.meta.url);
const doc = repositoryFile('README.zh-CN.md');
const known = new Map(
  GROUPS.flatMap((group) =>
    group.actions.map((action) => [
      `${group.name} ${action.name}`,
      action.options.flatMap(({ name, aliases = [] }) => [name, ...aliases]),
    ]),
  ),
);
const typed = [
  ...doc.matchAll(/`spush ((?:server|process|crontab|task|user|message|config|log|service) [^`]+)`/g),
].map((found) => found[1] ?? '');

describe('README.zh-CN.md', () => {
  test.each([...new Set(typed)])('spush %s can be typed', (line) => {
    const [group, action, ...rest] = line.split(' ');
    if (action?.startsWith('-')) return;
    const options = known.get(`${group} ${action}`);
    expect(options, `${group} ${action}`).toBeDefined();
    for (const word of rest.filter((part) => part.startsWith('-'))) {
      expect(['h', ...(options ?? [])]).toContain(word.replace(/^-+/, '').split('=')[0]);
    }
  });

  test.each([...known.keys()])('has %s', (words) => {
    expect(typed.some((line) => line === words || line.startsWith(`${words} `))).toBe(true);
  });

  test('says what every exit code means', () => {
    const line = /^退出码：(.+)$/m.exec(doc)?.[1] ?? '';
    for (const exit of Object.values(EXIT)) expect(line).toMatch(new RegExp(`(^|，)${exit} `));
  });

  test('has the rules of the jobs', () => {
    for (const [name, { rule }] of Object.entries(SWEEP_JOBS))
      expect(doc).toContain(`\`${name}\`（\`${rule}\`）`);
  });

  test('leads to files that are there', () => {
    for (const [, link = ''] of doc.matchAll(/\]\(([^)]+)\)/g)) {
      expect(existsSync(new URL(link.split('#')[0] ?? '', ROOT)), link).toBe(true);
    }
  });
});
