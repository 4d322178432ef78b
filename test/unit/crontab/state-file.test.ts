import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { afterRestart, type JobRecord, NEVER_RAN } from '../../../src/crontab/job-record.js';
import { crontabStateFile, StateFile } from '../../../src/crontab/state-file.js';
import { recordedLog } from '../../support/recorded-log.js';
import { tempFolder } from '../../support/temp-folder.js';

const RECORD: JobRecord = {
  ...NEVER_RAN,
  stopped: true,
  rule: '1 * * * *',
  runTimes: 3,
  lastStart: 5,
  lastEnd: 9,
  lastDurationMs: 4,
  lastResult: { ok: false, error: 'no' },
};

function setUp() {
  const folder = tempFolder();
  const file = crontabStateFile({ data: folder }, 'test');
  const log = recordedLog();
  return { folder, file, log, state: new StateFile(file, log) };
}

describe('StateFile', () => {
  it('is called after the mode, and has nothing at first', async () => {
    const { file, folder, state, log } = setUp();
    expect(file).toBe(join(folder, 'test.crontab.json'));
    expect(await state.load()).toEqual({});
    expect(log.lines).toEqual([]);
  });

  it('gives back what was kept, and leaves no draft', async () => {
    const { file, folder, state, log } = setUp();
    await state.keep({ Job: RECORD });
    expect(await new StateFile(file, log).load()).toEqual({ Job: RECORD });
    expect(readdirSync(folder)).toEqual(['test.crontab.json']);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('writes many changes in few writings; each is on the disk when its promise resolves', async () => {
    const { file, state } = setUp();
    const read = () => JSON.parse(readFileSync(file, 'utf8')).jobs.Job.runTimes as number;
    const seen: number[] = [];
    const kept = Array.from({ length: 50 }, async (_, i) => {
      await state.keep({ Job: { ...NEVER_RAN, runTimes: i } });
      seen.push(read() - i);
    });
    await Promise.all(kept);
    expect(read()).toBe(49);
    expect(Math.min(...seen)).toBe(0);
  });

  it.each([
    ['no JSON', '{"version":1,'],
    ['another shape', '{"version":1,"jobs":{"Job":{"stopped":"yes"}}}'],
    ['another version', '{"version":2,"jobs":{}}'],
    ['nothing', ''],
  ])('moves a file with %s aside, with a warning, and starts afresh', async (_what, text) => {
    const { file, state, log } = setUp();
    writeFileSync(file, text);
    expect(await state.load()).toEqual({});
    expect(existsSync(file)).toBe(false);
    expect(readFileSync(`${file}.damaged`, 'utf8')).toBe(text);
    expect(log.lines).toMatchObject([{ level: 'warn', event: 'crontab.stateDamaged' }]);
    await state.keep({ Job: RECORD });
    expect(await state.load()).toEqual({ Job: RECORD });
  });

  it('overwrites the draft of a writer that was killed', async () => {
    const { file, state } = setUp();
    writeFileSync(`${file}.new`, 'half of');
    await state.keep({ Job: RECORD });
    expect(await state.load()).toEqual({ Job: RECORD });
  });

  it('rejects when it cannot write, and writes the next time', async () => {
    const { file, state } = setUp();
    mkdirSync(`${file}.new`);
    const first = state.keep({ Job: NEVER_RAN });
    const second = state.keep({ Job: RECORD });
    await expect(first).rejects.toMatchObject({ code: 'EISDIR' });
    await expect(second).rejects.toMatchObject({ code: 'EISDIR' });
    rmdirSync(`${file}.new`);
    await state.keep({ Job: RECORD });
    expect(await state.load()).toEqual({ Job: RECORD });
  });
});

describe('afterRestart', () => {
  it('says of a run that was cut off that nobody knows its end', () => {
    const record = { ...RECORD, lastEnd: null };
    expect(afterRestart(record).lastResult).toEqual({
      ok: false,
      error: expect.stringContaining('not known'),
    });
    expect(afterRestart(record).lastEnd).toBe(5);
  });

  it('leaves all others alone', () => {
    expect(afterRestart(RECORD)).toBe(RECORD);
    expect(afterRestart(NEVER_RAN)).toBe(NEVER_RAN);
  });
});
