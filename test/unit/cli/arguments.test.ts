import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readArguments, toCommanderArguments } from '../../../src/cli/arguments.js';

const KINDS = { flags: new Set(['d', 'force', 'h', 'json']), values: new Set(['mode', 'name', 'set']) };
const read = (...argv: string[]) => readArguments(argv, KINDS);
const options = (...argv: string[]) => read(...argv).options.map(({ name, value }) => [name, value]);

describe('dashes', () => {
  test.each(['-mode=x', '--mode=x', '---mode=x', '-----mode=x'])('%s is the option mode', (word) => {
    expect(read('server', word)).toEqual({ words: ['server'], options: [{ name: 'mode', value: 'x' }] });
  });

  test('any number makes the same of any option', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.constantFrom('mode=x', 'force', 'd', 'other=1', 'h'),
        (n, word) => {
          expect(options('-'.repeat(n) + word)).toEqual(options(`-${word}`));
        },
      ),
    );
  });

  test('one alone is a word, and after two alone all are words', () => {
    expect(read('-', '--', '-mode=x')).toEqual({ words: ['-', '-mode=x'], options: [] });
  });
});

describe('numbers', () => {
  test('are never options', () => {
    expect(read('config', 'set', 'MaxLinkNumber', '-5')).toEqual({
      words: ['config', 'set', 'MaxLinkNumber', '-5'],
      options: [],
    });
    expect(options('--set', '-1.5', '-mode', '-2')).toEqual([
      ['set', '-1.5'],
      ['mode', '-2'],
    ]);
  });
});

describe('values', () => {
  test('come after an equals sign or as the next word', () => {
    expect(options('-mode', 'x')).toEqual([['mode', 'x']]);
    expect(options('--set', 'Port=1', '--set=Host=a=b')).toEqual([
      ['set', 'Port=1'],
      ['set', 'Host=a=b'],
    ]);
    expect(options('-name=')).toEqual([['name', '']]);
    expect(options('-name=-x')).toEqual([['name', '-x']]);
  });

  test.each([[['-mode']], [['-mode', '-d']], [['-mode', '--', 'x']]])('%j lacks one', (argv) => {
    expect(() => read(...argv)).toThrow('-mode needs a value: -mode=VALUE');
  });
});

describe('flags', () => {
  test.each([
    ['-d', true],
    ['-d=true', true],
    ['-d=1', true],
    ['-d=YES', true],
    ['-d=false', false],
    ['-force=0', false],
    ['--force=off', false],
  ])('%s is %s', (word, value) => {
    expect(options(word)[0]?.[1]).toBe(value);
  });

  test('take nothing else', () => {
    expect(() => read('-d=maybe')).toThrow('-d=maybe: expected true or false');
    expect(read('-d', 'false').words).toEqual(['false']);
  });

  test('help is h', () => {
    expect(options('--help', '-h', '-help')).toEqual([
      ['h', true],
      ['h', true],
      ['h', true],
    ]);
  });
});

test('options may stand anywhere', () => {
  expect(read('-mode=x', 'server', '-d', 'start').words).toEqual(['server', 'start']);
});

test('no command line makes it do anything but answer or refuse', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 12 }), { maxLength: 8 }), (argv) => {
      try {
        const { words, options: found } = read(...argv);
        expect(words.length + found.length).toBeLessThanOrEqual(argv.length);
      } catch (error) {
        expect(error).toMatchObject({ code: 'USAGE' });
      }
    }),
  );
});

test('commander is given words first, and negated flags', () => {
  const given = read('-mode=x', 'server', '-d', '-force=false', 'stop');
  expect(toCommanderArguments(given)).toEqual(['server', 'stop', '--mode=x', '-d', '--no-force']);
});
