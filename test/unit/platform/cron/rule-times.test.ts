import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RuleTimes } from '../../../../src/platform/cron/rule-times.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
const YEAR = { from: Date.UTC(2026, 0, 1), to: Date.UTC(2027, 0, 1) };

const ZONES = ['America/New_York', 'Europe/Berlin', 'Australia/Lord_Howe', 'Asia/Shanghai'] as const;
const RULES = ['* * * * *', '*/30 * * * *', '0 * * * *', '30 2 * * *', '*/6 * * * *'] as const;

/** What `Intl` says, and nothing else: the reference. Unix ms as if the place were at UTC. */
const readers = new Map(
  ZONES.map((timeZone) => [
    timeZone,
    new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' }),
  ]),
);

const known = new Map<string, number>();

function shown(zone: string, at: number): number {
  const key = `${zone} ${at}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const local = read(zone, at);
  known.set(key, local);
  return local;
}

function read(zone: string, at: number): number {
  const text = readers.get(zone as (typeof ZONES)[number])?.format(at) ?? '';
  return Date.parse(`${text.replace(' ', 'T')}Z`);
}

/** When the clocks are changed in 2026, and by how much. */
function changesOf(zone: string): { at: number; byMs: number }[] {
  const changes: { at: number; byMs: number }[] = [];
  let offset = shown(zone, YEAR.from) - YEAR.from;
  for (let at = YEAR.from; at < YEAR.to; at += 30 * MINUTE_MS) {
    const byMs = shown(zone, at) - at - offset;
    if (byMs !== 0) changes.push({ at, byMs });
    offset += byMs;
  }
  return changes;
}

type Fits = (localMs: number) => boolean;

/** Minute and hour only: the days are the library's. */
function fitsOf(rule: string): Fits {
  const [minute = '', hour = ''] = rule.split(' ');
  const has = (field: string, value: number): boolean =>
    field.split(',').some((part) => {
      const [range = '', step = '1'] = part.split('/');
      const [from = 0, to = from] = range === '*' ? [0, 59] : range.split('-').map(Number);
      return value >= from && value <= to && (value - from) % Number(step) === 0;
    });
  return (localMs) => {
    const date = new Date(localMs);
    return has(minute, date.getUTCMinutes()) && has(hour, date.getUTCHours());
  };
}

/** Minute by minute, as somebody would who watches the clock. */
function watched(rule: string, zone: string, from: number, to: number): number[] {
  const fits = fitsOf(rule);
  const named = !/[*/-]/.test(rule.split(' ').slice(0, 2).join(' '));
  const seen = new Set<number>();
  const runs: number[] = [];
  for (let at = from - DAY_MS; at < to; at += MINUTE_MS) {
    const local = shown(zone, at);
    const skipped: number[] = [];
    for (let missing = shown(zone, at - MINUTE_MS) + MINUTE_MS; missing < local; missing += MINUTE_MS)
      skipped.push(missing);
    const gapMs = skipped.length * MINUTE_MS;
    const isMissed = skipped.some((missing) => fits(missing) && (named || !fits(missing + gapMs)));
    const isRepeated = named && seen.has(local);
    if (at >= from && (isMissed || (fits(local) && !isRepeated))) runs.push(at);
    seen.add(local);
  }
  return runs;
}

function runsOf(rule: string, zone: string, from: number, to: number): number[] {
  const times = new RuleTimes(rule, zone);
  const runs: number[] = [];
  for (let at = times.next(from - 1); at !== null && at < to; at = times.next(at)) runs.push(at);
  return runs;
}

const timesOfDay = (runs: readonly number[]): string =>
  runs.map((at) => new Date(at).toISOString().slice(11, 16)).join(' ');

describe('the days of 2026 on which clocks are changed', () => {
  it.each([
    ['America/New_York', ['2026-03-08T07:00:00.000Z +60', '2026-11-01T06:00:00.000Z -60']],
    ['Europe/Berlin', ['2026-03-29T01:00:00.000Z +60', '2026-10-25T01:00:00.000Z -60']],
    ['Australia/Lord_Howe', ['2026-04-04T15:00:00.000Z -30', '2026-10-03T15:30:00.000Z +30']],
    ['Asia/Shanghai', []],
  ])('in %s', (zone, expected) => {
    const changes = changesOf(zone);
    expect(
      changes.map(
        ({ at, byMs }) => `${new Date(at).toISOString()} ${byMs > 0 ? '+' : ''}${byMs / MINUTE_MS}`,
      ),
    ).toEqual(expected);
  });

  /** From an hour before the change to two hours after it, in UTC. */
  it.each([
    // 02:00 becomes 03:00 at 07:00 UTC.
    ['America/New_York', '2026-03-08T07:00Z', '*/30 * * * *', '06:00 06:30 07:00 07:30 08:00 08:30 09:00'],
    ['America/New_York', '2026-03-08T07:00Z', '0 * * * *', '06:00 07:00 08:00 09:00'],
    ['America/New_York', '2026-03-08T07:00Z', '30 2 * * *', '07:00'],
    ['America/New_York', '2026-03-08T07:00Z', '0,30 2 * * *', '07:00'],
    ['America/New_York', '2026-03-08T07:00Z', '*/30 2 * * *', '07:00'],
    ['America/New_York', '2026-03-08T07:00Z', '0 */2 * * *', '07:00 08:00'],
    ['America/New_York', '2026-03-08T07:00Z', '15 * * * *', '06:15 07:15 08:15'],
    ['America/New_York', '2026-03-08T07:00Z', '30 1-4 * * *', '06:30 07:30 08:30'],
    // 02:00 becomes 01:00 at 06:00 UTC.
    ['America/New_York', '2026-11-01T06:00Z', '*/30 * * * *', '05:00 05:30 06:00 06:30 07:00 07:30 08:00'],
    ['America/New_York', '2026-11-01T06:00Z', '0 * * * *', '05:00 06:00 07:00 08:00'],
    ['America/New_York', '2026-11-01T06:00Z', '30 2 * * *', '07:30'],
    ['America/New_York', '2026-11-01T06:00Z', '30 1 * * *', '05:30'],
    ['America/New_York', '2026-11-01T06:00Z', '0,30 1 * * *', '05:00 05:30'],
    ['America/New_York', '2026-11-01T06:00Z', '*/30 1 * * *', '05:00 05:30 06:00 06:30'],
    ['America/New_York', '2026-11-01T06:00Z', '0 0-5 * * *', '05:00 06:00 07:00 08:00'],
    // 02:00 becomes 03:00 at 01:00 UTC.
    ['Europe/Berlin', '2026-03-29T01:00Z', '*/30 * * * *', '00:00 00:30 01:00 01:30 02:00 02:30 03:00'],
    ['Europe/Berlin', '2026-03-29T01:00Z', '0 * * * *', '00:00 01:00 02:00 03:00'],
    ['Europe/Berlin', '2026-03-29T01:00Z', '30 2 * * *', '01:00'],
    // 03:00 becomes 02:00 at 01:00 UTC.
    ['Europe/Berlin', '2026-10-25T01:00Z', '*/30 * * * *', '00:00 00:30 01:00 01:30 02:00 02:30 03:00'],
    ['Europe/Berlin', '2026-10-25T01:00Z', '0 * * * *', '00:00 01:00 02:00 03:00'],
    ['Europe/Berlin', '2026-10-25T01:00Z', '30 2 * * *', '00:30'],
    // 02:00 becomes 01:30 at 15:00 UTC.
    ['Australia/Lord_Howe', '2026-04-04T15:00Z', '*/30 * * * *', '14:00 14:30 15:00 15:30 16:00 16:30 17:00'],
    ['Australia/Lord_Howe', '2026-04-04T15:00Z', '0 * * * *', '14:00 15:30 16:30'],
    ['Australia/Lord_Howe', '2026-04-04T15:00Z', '30 2 * * *', '16:00'],
    ['Australia/Lord_Howe', '2026-04-04T15:00Z', '45 1 * * *', '14:45'],
    // 02:00 becomes 02:30 at 15:30 UTC.
    ['Australia/Lord_Howe', '2026-10-03T15:30Z', '*/30 * * * *', '14:30 15:00 15:30 16:00 16:30 17:00 17:30'],
    ['Australia/Lord_Howe', '2026-10-03T15:30Z', '0 * * * *', '14:30 15:30 16:00 17:00'],
    ['Australia/Lord_Howe', '2026-10-03T15:30Z', '30 2 * * *', '15:30'],
    ['Australia/Lord_Howe', '2026-10-03T15:30Z', '15 2 * * *', '15:30'],
  ])('in %s at %s, %s comes at %s', (zone, change, rule, expected) => {
    const at = Date.parse(change);
    expect(timesOfDay(runsOf(rule, zone, at - HOUR_MS, at + 2 * HOUR_MS + MINUTE_MS))).toBe(expected);
  });

  const changes = ZONES.flatMap((zone) =>
    changesOf(zone).map(({ at }) => ({ zone, at, day: new Date(at).toJSON() })),
  );

  it.each(changes)('$zone, $day: a rule by the minute runs each minute, one of six minutes each sixth', ({
    zone,
    at,
  }) => {
    const [from, to] = [at - DAY_MS, at + DAY_MS];
    for (const minutes of [1, 6]) {
      const rule = minutes === 1 ? '* * * * *' : '*/6 * * * *';
      const runs = runsOf(rule, zone, from, to);
      expect(runs).toHaveLength((2 * DAY_MS) / (minutes * MINUTE_MS));
      expect(runs).toEqual(runs.map((_, index) => from + index * minutes * MINUTE_MS));
    }
  });

  it.each(changes)('$zone, $day: each rule comes when one who watches the clock says so', ({ zone, at }) => {
    const more = [
      '15 * * * *',
      '*/20 1-3 * * *',
      '0,45 1,2 * * *',
      '*/45 * * * *',
      '10 0-23/2 * * *',
      '0 0 * * *',
    ];
    const [from, to] = [at - DAY_MS, at + DAY_MS];
    for (const rule of [...RULES, ...more])
      expect([rule, ...runsOf(rule, zone, from, to)]).toEqual([rule, ...watched(rule, zone, from, to)]);
  });

  it('and any other rule, from any moment', () => {
    const value = (max: number) => fc.integer({ min: 0, max }).map(String);
    const field = (max: number) =>
      fc.oneof(
        fc.constant('*'),
        value(max),
        fc.tuple(value(max), value(max)).map((pair) => [...new Set(pair)].join(',')),
        fc.integer({ min: 2, max: 45 }).map((step) => (step <= max ? `*/${step}` : '*')),
      );
    const cases = fc.record({
      change: fc.constantFrom(...changes),
      rule: fc.tuple(field(59), field(3)).map(([minute, hour]) => `${minute} ${hour} * * *`),
      fromMinute: fc.integer({ min: -200, max: 200 }),
    });
    fc.assert(
      fc.property(cases, ({ change: { zone, at }, rule, fromMinute }) => {
        const from = at + fromMinute * MINUTE_MS;
        const to = at + 5 * HOUR_MS;
        expect(runsOf(rule, zone, from, to)).toEqual(watched(rule, zone, from, to));
      }),
      { numRuns: 150 },
    );
  });
});

describe('a year', () => {
  it.each(ZONES)('of a daily rule in %s has 365 runs, one each day', (zone) => {
    const runs = runsOf('30 2 * * *', zone, YEAR.from, YEAR.to);
    expect(runs).toHaveLength(365);
    expect(new Set(runs.map((at) => new Date(shown(zone, at)).toISOString().slice(0, 10))).size).toBe(365);
  });

  it.each(ZONES)('of a rule of half an hour in %s has a run every half hour', (zone) => {
    const runs = runsOf('*/30 * * * *', zone, YEAR.from, YEAR.to);
    expect(runs).toHaveLength((YEAR.to - YEAR.from) / (30 * MINUTE_MS));
    expect(runs.every((at, index) => index === 0 || at - (runs[index - 1] ?? 0) === 30 * MINUTE_MS)).toBe(
      true,
    );
  });
});

describe('other places and rules', () => {
  it('a place whose day begins with a gap has its midnight when that ends', () => {
    // Cairo, 24 April 2026: 00:00 becomes 01:00.
    const change = Date.UTC(2026, 3, 23, 22, 0);
    expect(runsOf('0 0 * * *', 'Africa/Cairo', change - HOUR_MS, change + HOUR_MS)).toEqual([change]);
  });

  it('a place that left out a whole day runs once for it', () => {
    // Apia had no 30 December 2011.
    const change = Date.UTC(2011, 11, 30, 10, 0);
    expect(runsOf('0 12 * * *', 'Pacific/Apia', change - DAY_MS, change + DAY_MS)).toEqual([
      Date.UTC(2011, 11, 29, 22),
      change,
      Date.UTC(2011, 11, 30, 22),
    ]);
  });

  it.each([
    ['0 0 L-3 * *', '2026-01-28 2026-02-25 2026-03-28'],
    ['0 0 LW 2 *', '2026-02-27 2027-02-26 2028-02-29'],
    ['0 0 15W * *', '2026-01-15 2026-02-16 2026-03-16'],
    ['0 0 * * 5L', '2026-01-30 2026-02-27 2026-03-27'],
    ['0 0 * * 1#2', '2026-01-12 2026-02-09 2026-03-09'],
    ['0 0 29 2 *', '2028-02-29 2032-02-29 2036-02-29'],
    ['0 22-6 1 1 *', '2026-01-01 2026-01-01 2026-01-01'],
  ])('%s comes on %s', (rule, days) => {
    const times = new RuleTimes(rule, 'UTC');
    const found: string[] = [];
    let at = YEAR.from - 1;
    for (let n = 0; n < 3; n += 1) {
      at = times.next(at) ?? Number.NaN;
      found.push(new Date(at).toISOString().slice(0, 10));
    }
    expect(found.join(' ')).toBe(days);
  });

  it('never comes when no date fits', () => {
    expect(new RuleTimes('0 0 31 2 *', 'UTC').next(YEAR.from)).toBeNull();
  });

  it('needs a zone that there is', () => {
    expect(() => new RuleTimes('* * * * *', 'Mars/Olympus')).toThrow(RangeError);
  });
});
