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
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { afterRestart, type JobRecord, NEVER_RAN } from '../../../src/crontab/job-record.js';
import { crontabStateFile, StateFile, TRY_AGAIN_MS } from '../../../src/crontab/state-file.js';
import { Troubles } from '../../../src/platform/health/troubles.js';
import { FakeClock } from '../../support/fake-clock.js';
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
  const clock = new FakeClock(Date.UTC(2026, 0, 31, 12));
  const troubles = new Troubles(clock);
  const deps = { troubles, clock, log };
  return { folder, file, log, deps, troubles, state: new StateFile(file, deps) };
}

describe('StateFile', () => {
  it('is called after the mode, and has nothing at first', async () => {
    const { file, folder, state, log } = setUp();
    expect(file).toBe(join(folder, 'test.crontab.json'));
    expect(await state.load()).toEqual({});
    expect(log.lines).toEqual([]);
  });

  it('gives back what was kept, and leaves no draft', async () => {
    const { file, folder, state, deps } = setUp();
    await state.keep({ Job: RECORD });
    expect(await new StateFile(file, deps).load()).toEqual({ Job: RECORD });
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
    ['zeros, as a loss of power leaves them', '\0'.repeat(200)],
  ])('moves a file with %s aside, with a warning, and starts afresh', async (_what, text) => {
    const { file, state, log } = setUp();
    writeFileSync(file, text);
    expect(await state.load()).toEqual({});
    expect(existsSync(file)).toBe(false);
    expect(readFileSync(`${file}.broken-20260131T120000`, 'utf8')).toBe(text);
    expect(log.lines).toMatchObject([{ level: 'warn', event: 'crontab.stateDamaged' }]);
    await state.keep({ Job: RECORD });
    expect(await state.load()).toEqual({ Job: RECORD });
  });

  it('keeps the newest three of those that it set aside', async () => {
    const { file, folder, state } = setUp();
    for (let n = 0; n < 5; n += 1) {
      writeFileSync(file, `broken ${n}`);
      expect(await state.load()).toEqual({});
    }
    const texts = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
    expect(texts.sort()).toEqual(['broken 2', 'broken 3', 'broken 4']);
  });

  it('overwrites the draft of a writer that was killed', async () => {
    const { file, state } = setUp();
    writeFileSync(`${file}.new`, 'half of');
    await state.keep({ Job: RECORD });
    expect(await state.load()).toEqual({ Job: RECORD });
  });

  it('tells that it cannot write, tries again by itself, and says when it could', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { file, state, troubles } = setUp();
    mkdirSync(file);
    await expect(state.keep({ Job: NEVER_RAN })).rejects.toMatchObject({ code: 'EISDIR' });
    await expect(state.keep({ Job: RECORD })).rejects.toMatchObject({ code: 'EISDIR' });
    expect(troubles.report().now).toMatchObject([{ name: 'crontabState', failures: 2 }]);
    rmdirSync(file);
    await vi.advanceTimersByTimeAsync(TRY_AGAIN_MS);
    await vi.waitUntil(() => existsSync(file) && !troubles.has('crontabState'));
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
