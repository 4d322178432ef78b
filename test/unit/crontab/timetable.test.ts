import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Timetable } from '../../../src/crontab/timetable.js';
import { systemClock } from '../../../src/platform/clock/system-clock.js';
import { RuleTimes } from '../../../src/platform/cron/rule-times.js';
import { type Clock, msLater } from '../../../src/shared/base/clock.js';
import { recordedLog } from '../../support/recorded-log.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** How long this process did not run: no timer has, but time has passed. */
let heldMs = 0;
const clock: Clock = {
  now: () => Date.now() + heldMs,
  moment: () => msLater(systemClock.moment(), heldMs),
};

function setUp(zone = 'UTC') {
  const log = recordedLog();
  const timetable = new Timetable({ clock, log });
  const follow = (rule: string) => {
    const runs: string[] = [];
    const tick = () => runs.push(new Date(clock.now()).toISOString().slice(11, 19));
    const schedule = timetable.follow(rule, new RuleTimes(rule, zone), tick);
    return { runs, schedule };
  };
  const late = () =>
    log.lines.filter(({ event }) => event === 'job.late').map(({ level, fields }) => ({ level, ...fields }));
  return { timetable, follow, late, log };
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
/** Timers come late by so much. */
async function hold(ms: number): Promise<void> {
  heldMs += ms;
  await pass(1000);
}
const setClock = (byMs: number) => vi.setSystemTime(Date.now() + byMs);

beforeEach(() => {
  heldMs = 0;
  vi.useFakeTimers({
    now: Date.UTC(2026, 0, 1, 12, 0, 30),
    toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'],
  });
});
afterEach(() => vi.useRealTimers());

describe('a timetable', () => {
  it('calls each rule at its times, and says when it comes next', async () => {
    const { follow, late } = setUp();
    const [each, daily] = [follow('* * * * *'), follow('2 12 * * *')];
    expect(each.schedule.nextRun()?.toISOString()).toBe('2026-01-01T12:01:00.000Z');
    await pass(3 * MINUTE_MS);
    expect(each.runs).toEqual(['12:01:00', '12:02:00', '12:03:00']);
    expect(daily.runs).toEqual(['12:02:00']);
    expect(daily.schedule.nextRun()?.toISOString()).toBe('2026-01-02T12:02:00.000Z');
    expect(late()).toEqual([]);
  });

  it('calls nothing that is closed, and then has no timer', async () => {
    const { follow } = setUp();
    const [one, other] = [follow('* * * * *'), follow('* * * * *')];
    one.schedule.close();
    await pass(MINUTE_MS);
    expect([one.runs, other.runs]).toEqual([[], ['12:01:00']]);
    other.schedule.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not call one that another closes in the same moment', async () => {
    const { timetable, follow } = setUp();
    const times = new RuleTimes('* * * * *', 'UTC');
    timetable.follow('closes', times, () => closed.schedule.close());
    const closed = follow('* * * * *');
    await pass(MINUTE_MS);
    expect(closed.runs).toEqual([]);
  });
});

describe('what was jumped over runs once, late, and is told', () => {
  it('when the process was suspended', async () => {
    const { follow, late } = setUp();
    const [each, daily, later] = [follow('* * * * *'), follow('1 12 * * *'), follow('5 12 * * *')];
    await hold(95_000);
    expect([each.runs, daily.runs, later.runs]).toEqual([['12:02:06'], ['12:02:06'], []]);
    expect(late()).toMatchObject([
      { level: 'warn', job: '* * * * *', due: '2026-01-01T12:01:00.000Z', lateMs: 66_000 },
      { level: 'warn', job: '1 12 * * *', reason: expect.stringContaining('held up') },
    ]);
    await pass(MINUTE_MS);
    expect(each.runs).toEqual(['12:02:06', '12:03:00']);
  });

  it('when the clock was set forward', async () => {
    const { follow, late } = setUp();
    const [each, daily] = [follow('* * * * *'), follow('3 12 * * *')];
    setClock(5 * MINUTE_MS);
    await pass(1000);
    expect([each.runs, daily.runs]).toEqual([['12:05:31'], ['12:05:31']]);
    expect(late()).toMatchObject([{ lateMs: 271_000, reason: expect.stringContaining('set forward') }, {}]);
    await pass(MINUTE_MS);
    expect(each.runs.at(-1)).toBe('12:06:00');
    expect(daily.schedule.nextRun()?.toISOString()).toBe('2026-01-02T12:03:00.000Z');
  });

  it('when the loop was blocked', { timeout: 20_000 }, async () => {
    vi.useRealTimers();
    const { timetable, late } = setUp();
    const runs: number[] = [];
    const everySecond = { isNamed: false, next: (after: number) => Math.floor(after / 1000) * 1000 + 1000 };
    await new Promise<void>((resolve) => {
      const schedule = timetable.follow('each second', everySecond, () => {
        runs.push(Math.floor(Date.now() / 1000));
        if (runs.length === 1) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3500);
        if (runs.length < 3) return;
        schedule.close();
        resolve();
      });
    });
    const [before = 0, after = 0, next = 0] = runs;
    expect(after - before).toBeGreaterThanOrEqual(3);
    expect(next - after).toBeLessThanOrEqual(2);
    expect(late()).toMatchObject([{ reason: expect.stringContaining('held up') }]);
  });

  it('also when it was a year', async () => {
    const { follow } = setUp();
    const [each, yearly] = [follow('* * * * *'), follow('0 0 29 12 *')];
    setClock(365 * 24 * HOUR_MS);
    await pass(1000);
    expect([each.runs.length, yearly.runs.length]).toEqual([1, 1]);
  });
});

describe('a clock that is set back by an hour', () => {
  it('does not keep rules by the minute and hour waiting', async () => {
    const { follow, log } = setUp();
    const [each, hourly] = [follow('* * * * *'), follow('0 * * * *')];
    await pass(MINUTE_MS);
    setClock(-HOUR_MS);
    await pass(MINUTE_MS);
    expect(each.runs).toEqual(['12:01:00', '11:02:00']);
    expect(hourly.schedule.nextRun()?.toISOString()).toBe('2026-01-01T12:00:00.000Z');
    expect(log.lines).toContainEqual(
      expect.objectContaining({ level: 'warn', event: 'crontab.clockSetBack' }),
    );
  });

  it('does not bring a time of day again that has passed, and keeps what is to come', async () => {
    const { follow } = setUp();
    const [passed, toCome] = [follow('1 12 * * *'), follow('40 12 * * *')];
    await pass(MINUTE_MS);
    setClock(-HOUR_MS);
    await pass(2 * HOUR_MS);
    expect([passed.runs, toCome.runs]).toEqual([['12:01:00'], ['12:40:00']]);
  });

  it('brings what a job names that was given its rule after that', async () => {
    const { follow } = setUp();
    follow('* * * * *');
    setClock(-HOUR_MS);
    await pass(1000);
    const fresh = follow('5,10 11 * * *');
    await pass(HOUR_MS);
    expect(fresh.runs).toEqual(['11:05:00', '11:10:00']);
  });

  it('takes nothing away that was due a moment before', async () => {
    const { follow } = setUp();
    const [each, daily] = [follow('* * * * *'), follow('1 12 * * *')];
    heldMs += 40_000;
    setClock(-HOUR_MS);
    await pass(1000);
    expect([each.runs.length, daily.runs.length]).toEqual([1, 1]);
  });

  it('begins anew when it was wrong by hours', async () => {
    const { follow } = setUp();
    const daily = follow('1 12 * * *');
    await pass(MINUTE_MS);
    setClock(-24 * HOUR_MS);
    await pass(MINUTE_MS);
    expect(daily.schedule.nextRun()?.toISOString()).toBe('2026-01-01T12:01:00.000Z');
  });

  it('is waited for when it is less than a minute', async () => {
    const { follow, log } = setUp();
    const each = follow('* * * * *');
    await pass(31_000);
    setClock(-10_000);
    await pass(30_000);
    expect(each.runs).toEqual(['12:01:00']);
    await pass(40_000);
    expect(each.runs).toEqual(['12:01:00', '12:02:00']);
    expect(log.lines).toEqual([]);
  });
});

it('runs through the hour that comes twice in autumn, and once in it what names its time', async () => {
  vi.setSystemTime(Date.UTC(2026, 10, 1, 5, 0, 30));
  const { follow, late } = setUp('America/New_York');
  const [each, half, hourly, daily] = [
    follow('* * * * *'),
    follow('*/30 * * * *'),
    follow('0 * * * *'),
    follow('30 1 * * *'),
  ];
  await pass(2 * HOUR_MS);
  expect(each.runs).toHaveLength(120);
  expect(half.runs).toEqual(['05:30:00', '06:00:00', '06:30:00', '07:00:00']);
  expect([hourly.runs, daily.runs]).toEqual([['06:00:00', '07:00:00'], ['05:30:00']]);
  expect(late()).toEqual([]);
});
