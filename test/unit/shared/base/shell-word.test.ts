import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { shellWord } from '../../../../src/shared/base/shell-word.js';

test('a plain path stays as it is', () => {
  expect(shellWord('/opt/spush-1.0+2/conf_x:y@z')).toBe('/opt/spush-1.0+2/conf_x:y@z');
});

test.each([
  '',
  'a b',
  "it's",
  '$HOME',
  '`id`',
  '*',
  'a"b\\c',
  'line\nline',
  '~',
])('a shell reads %j as it was', (text) => {
  expect(execFileSync('sh', ['-c', `printf %s ${shellWord(text)}`], { encoding: 'utf8' })).toBe(text);
});
