/** The log file under everything that can happen to it: lines may be missing in it, nothing is thrown, and it comes back. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { Troubles } from '../../../../src/platform/health/troubles.js';
import { LOOK_EVERY_MS, LogFile } from '../../../../src/platform/log/log-file.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { tempFolder } from '../../../support/temp-folder.js';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }));
afterEach(() => void vi.useRealTimers());

function setUp(prepare: (file: string) => void = () => {}) {
  const folder = tempFolder();
  const file = path.join(folder, 'Log/m.log');
  prepare(file);
  const troubles = new Troubles(new FakeClock());
  const instead: string[] = [];
  const log = new LogFile({
    file,
    process: 'p',
    troubles,
    instead: { write: (line) => void instead.push(line), where: 'standard error has its lines' },
  });
  onTestFinished(() => log.close());
  const look = (): void => void vi.advanceTimersByTime(LOOK_EVERY_MS);
  const lines = (): string[] => readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return { folder, file, troubles, instead, log, look, lines };
}

describe('the log file', () => {
  test('is for its owner and group, in a folder that is made', () => {
    const { file, log, lines, troubles } = setUp();
    log.write('one\n');
    expect(lines()).toEqual(['one']);
    expect(statSync(file).mode & 0o777 & ~0o640).toBe(0);
    expect(statSync(path.dirname(file)).mode & 0o777 & ~0o750).toBe(0);
    expect(troubles.report().now).toEqual([]);
  });

  test('is made again with its folder when somebody removes both', () => {
    const { file, log, look, lines } = setUp();
    rmSync(path.dirname(file), { recursive: true });
    look();
    log.write('two\n');
    expect(lines()).toEqual(['two']);
  });

  test('is followed by its name when somebody moves it away and tells nobody', () => {
    const { file, log, look, lines } = setUp();
    log.write('one\n');
    renameSync(file, `${file}.1`);
    log.write('two\n');
    look();
    log.write('three\n');
    expect(readFileSync(`${file}.1`, 'utf8')).toBe('one\ntwo\n');
    expect(lines()).toEqual(['three']);
  });

  test.each<[string, (file: string) => void]>([
    ['a folder has its name', (file) => mkdirSync(file, { recursive: true })],
    ['its folder is a file', (file) => writeFileSync(path.dirname(file), '')],
    [
      'its name leads nowhere',
      (file) => {
        mkdirSync(path.dirname(file));
        symlinkSync('/no/such/folder/x', file);
      },
    ],
  ])('that cannot be opened at the start, as %s, costs nothing but its lines', (_what, prepare) => {
    const { file, troubles, instead, log, look, lines } = setUp(prepare);
    log.write('one\n');
    look();
    log.write('two\n');
    expect(instead).toEqual(['one\n', 'two\n']);
    expect(troubles.report().now).toMatchObject([
      { name: 'log', text: expect.stringContaining(`${file} cannot be opened: E`) },
    ]);
    rmSync(path.dirname(file), { recursive: true });
    look();
    expect(troubles.report().now).toEqual([]);
    log.write('three\n');
    expect(lines().map((line) => (line.startsWith('{') ? JSON.parse(line).lines : line))).toEqual([
      2,
      'three',
    ]);
  });

  test('whose name something else has takes lines on while it has another name, and none when it has none', () => {
    const { file, troubles, instead, log, look } = setUp();
    renameSync(file, `${file}.1`);
    mkdirSync(file);
    look();
    log.write('one\n');
    expect(readFileSync(`${file}.1`, 'utf8')).toBe('one\n');
    expect(troubles.has('log')).toBe(true);
    unlinkSync(`${file}.1`);
    look();
    log.write('two\n');
    expect(instead).toEqual(['two\n']);
    rmdirSync(file);
    look();
    expect(troubles.has('log')).toBe(false);
  });

  test('that cannot be written tells how many lines are missing when it can again', () => {
    const { file, troubles, instead, log, look, lines } = setUp((name) => {
      mkdirSync(path.dirname(name));
      symlinkSync('/dev/full', name);
    });
    for (let n = 0; n < 3; n += 1) log.write(`${n}\n`);
    expect(instead).toHaveLength(3);
    look();
    expect(troubles.report()).toMatchObject({
      now: [{ text: expect.stringContaining('cannot be written: ENOSPC'), failures: 3 }],
    });
    unlinkSync(file);
    look();
    expect(troubles.report().now).toEqual([]);
    expect(lines().map((line) => JSON.parse(line))).toMatchObject([
      { event: 'log.missed', process: 'p', lines: 3 },
    ]);
  });

  test('does not wait for whoever reads it when a pipe has its name', () => {
    const { file, troubles, instead, log, look } = setUp((name) => {
      mkdirSync(path.dirname(name));
      makePipe(name);
    });
    log.write('one\n');
    look();
    expect(instead).toEqual(['one\n']);
    expect(troubles.report().now).toMatchObject([{ text: expect.stringContaining('ENXIO') }]);
    expect(existsSync(file)).toBe(true);
  });
});

function makePipe(file: string): void {
  execFileSync('mkfifo', [file]);
}
