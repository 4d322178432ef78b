/** Holds docs/OPERATIONS.md to the code: commands and their options, the control socket, metrics, log events, files. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { GROUPS } from '../../../src/cli/program.js';
import { EXIT } from '../../../src/shared/base/errors.js';
import { SWEEP_JOBS } from '../../../src/shared/domain/kind.js';
import { TROUBLE_NAMES } from '../../../src/shared/domain/trouble.js';
import { CONTROL_COMMANDS, serverStatusSchema } from '../../../src/shared/protocol/control-commands.js';
import { repositoryFile } from '../../support/kept-file.js';

const doc = repositoryFile('docs/OPERATIONS.md');
const SRC = path.resolve(import.meta.dirname, '../../../src');
const source = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(path.join(SRC, name), 'utf8'))
  .join('\n');

const actions = GROUPS.flatMap((group) =>
  group.actions.map((action) => ({ words: `spush ${group.name} ${action.name}`, options: action.options })),
);
/** Said once for all commands, at the head of the page. */
const COMMON_OPTIONS = ['mode', 'json'];

function section(heading: string): string {
  const start = doc.indexOf(`\n${heading}\n`);
  expect(start, `OPERATIONS.md has no heading "${heading}"`).toBeGreaterThan(-1);
  const level = heading.indexOf(' ');
  const rest = doc.slice(start + heading.length + 2);
  const end = rest.search(new RegExp(`^#{1,${level}} `, 'm'));
  return end === -1 ? rest : rest.slice(0, end);
}

/** Names in the first column of the tables of a section. */
function firstCells(text: string): string[] {
  return [...text.matchAll(/^\| ([^|]+) \|/gm)].flatMap((row) =>
    [...(row[1] ?? '').matchAll(/`([^`]+)`/g)].map((name) => name[1] ?? ''),
  );
}

function found(pattern: RegExp): string[] {
  return [...new Set([...source.matchAll(pattern)].map((match) => match[1] ?? ''))];
}

describe('docs/OPERATIONS.md', () => {
  test.each(actions)('has $words, with its options', ({ words, options }) => {
    // What is said of `start` counts for `restart`, what is said of a group for its actions.
    const group = words.split(' ').slice(1, 2).join('');
    const text = section(`### \`${words}\``) + section(`## ${group}`);
    const names = options.map(({ name }) => name).filter((name) => !COMMON_OPTIONS.includes(name));
    for (const name of names) expect(text, name).toMatch(new RegExp(`\`[^\`]*-${name}\\b`));
  });

  test('has no command that does not exist', () => {
    const headings = [...doc.matchAll(/^### `(spush [^`]+)`$/gm)].map((match) => match[1]);
    expect(headings).toEqual(actions.map(({ words }) => words));
  });

  test('names every command of the control socket', () => {
    const named = [...section('## The control socket').matchAll(/`([a-z]+(?:\.[a-z]+)?)`/g)].map(
      ([, name]) => name,
    );
    expect(named.sort()).toEqual(Object.keys(CONTROL_COMMANDS).sort());
  });

  test('names every number of server status, every job and every exit code', () => {
    for (const name of Object.keys(serverStatusSchema.shape)) expect(doc).toContain(`\`${name}\``);
    for (const [name, { rule }] of Object.entries(SWEEP_JOBS))
      expect(doc).toContain(`\`${name}\` (\`${rule}\`)`);
    const exits = /^Exit codes: (.+)\.$/m.exec(doc)?.[1] ?? '';
    const numbers = [...exits.matchAll(/(\d+) /g)].map(([, number]) => Number(number));
    expect(numbers).toEqual(Object.values(EXIT));
  });

  test('says of every trouble what it is and what to do', () => {
    expect(firstCells(section('## Troubles'))).toEqual([...TROUBLE_NAMES]);
  });

  test('names every metric, and none that does not exist', () => {
    // After a bracket it is the name of a table.
    const metrics = found(/(?<!\()'(spush_[a-z_]+)'/g);
    const named = firstCells(section('## Health and metrics')).filter((name) => name.startsWith('spush_'));
    expect(named.sort()).toEqual(metrics.sort());
  });

  test('says of every event at level error what to do, and of none that does not exist', () => {
    const named = firstCells(section('## Logs'));
    const errors = found(/log(?:\(\))?\.error\(\s*'([^']+)'/g);
    expect(errors.filter((event) => !named.includes(event))).toEqual([]);
    const events = found(/(?:log(?:\(\))?|seldom|refusals)\.(?:error|warn|info)\(\s*'([^']+)'/g);
    expect(named.filter((event) => !events.includes(event))).toEqual([]);
  });

  test('names every signal that the master listens to', () => {
    const signals = [
      ...readFileSync(path.join(SRC, 'master/signals.ts'), 'utf8').matchAll(/'(SIG[A-Z0-9]+)'/g),
    ];
    const named = firstCells(section('## Signals'));
    for (const [, name] of signals) expect(named).toContain(name);
  });

  test('leads to files that are there', () => {
    const links = [...doc.matchAll(/\]\(([^)#]+)[^)]*\)/g)].map((match) => match[1] ?? '');
    for (const link of links) expect(() => repositoryFile(path.join('docs', link)), link).not.toThrow();
  });
});
