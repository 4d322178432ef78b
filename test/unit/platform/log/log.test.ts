import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Troubles } from '../../../../src/platform/health/troubles.js';
import { openLog } from '../../../../src/platform/log/log.js';
import { FakeClock } from '../../../support/fake-clock.js';

let folder: string;
let troubles: Troubles;

beforeEach(() => {
  troubles = new Troubles(new FakeClock());
  folder = mkdtempSync(path.join(tmpdir(), 'spush-log-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function lines(file: string): Record<string, unknown>[] {
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('the log', () => {
  test('is one JSON line per event, in a file whose folder it makes', () => {
    const file = path.join(folder, 'Log/a.log');
    const log = openLog({ process: 'p', level: 'info', file, console: 'none', troubles });
    log.info('one', { n: 1 });
    log.debug('not this');
    expect(lines(file)).toMatchObject([{ level: 'info', process: 'p', event: 'one', n: 1 }]);
  });

  test('goes on in a new file after the old one was moved away', () => {
    const file = path.join(folder, 'a.log');
    const log = openLog({ process: 'p', level: 'info', file, console: 'none', troubles });
    log.info('one');
    renameSync(file, `${file}.1`);
    log.info('two');
    log.reopen();
    log.info('three');
    expect(lines(`${file}.1`).map(({ event }) => event)).toEqual(['one', 'two']);
    expect(lines(file).map(({ event }) => event)).toEqual(['three']);
  });

  test('changes its level while it runs', () => {
    const file = path.join(folder, 'a.log');
    const log = openLog({ process: 'p', level: 'warn', file, console: 'none', troubles });
    log.info('no');
    expect(log.debugging).toBe(false);
    log.setLevel('debug');
    expect(log.debugging).toBe(true);
    log.debug('yes');
    expect(lines(file).map(({ event }) => event)).toEqual(['yes']);
  });

  test('that cannot be written harms nothing', () => {
    const log = openLog({ process: 'p', level: 'info', file: '/dev/full', console: 'none', troubles });
    for (let n = 0; n < 100; n += 1) log.error('lost');
    expect(existsSync('/dev/full')).toBe(true);
    expect(troubles.report().failures).toEqual({ log: 100 });
  });
});
