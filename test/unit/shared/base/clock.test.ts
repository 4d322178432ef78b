import { describe, expect, test } from 'vitest';
import {
  earliestStamp,
  momentMs,
  momentOf,
  msBetween,
  msLater,
  msSince,
  stampedNow,
} from '../../../../src/shared/base/clock.js';
import { FakeClock } from '../../../support/fake-clock.js';

describe('moments', () => {
  test('tell what has passed, whatever the wall clock was set to', () => {
    const clock = new FakeClock();
    const before = clock.moment();
    clock.advance(1500);
    clock.step(-3_600_000);
    expect(msSince(clock, before)).toBe(1500);
    expect(msBetween(clock.moment(), before)).toBe(-1500);
    expect(msSince(clock, msLater(before, 1000))).toBe(500);
  });

  test('travel as numbers', () => {
    const moment = new FakeClock().moment();
    expect(msBetween(momentOf(momentMs(moment)), moment)).toBe(0);
  });
});

describe('the earliest stamp of what came since', () => {
  test.each([
    ['is that of then', 0, 0],
    [
      'is that of then when the clock was set forward since: what came before that has a lower one',
      300_000,
      0,
    ],
    ['is that of now when it was set back: what comes from now on has a lower one', -3_600_000, -3_600_000],
  ])('%s', (_what, step, expected) => {
    const clock = new FakeClock();
    const then = stampedNow(clock);
    clock.advance(10_000);
    clock.step(step);
    expect(earliestStamp(clock, then) - then.unixMs).toBe(expected);
  });

  test('is whole, as stamps are, though moments are finer', () => {
    let moment = momentOf(1000.125);
    const clock = { now: () => 1_767_225_600_000, moment: () => moment };
    const then = stampedNow(clock);
    moment = momentOf(1000.5);
    // It becomes part of an id, and travels to other nodes, who take whole numbers only.
    expect(earliestStamp(clock, then)).toBe(1_767_225_599_999);
  });
});
