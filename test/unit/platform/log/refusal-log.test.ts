import { beforeEach, expect, test } from 'vitest';
import { REFUSALS_PER_SECOND_MAX } from '../../../../src/platform/log/each-refusal.js';
import {
  OTHERS,
  REFUSALS_EVERY_MS,
  REFUSED_PAIRS_MAX,
  type RefusalLog,
  refusalLog,
} from '../../../../src/platform/log/refusal-log.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { recordedLog } from '../../../support/recorded-log.js';

let clock: FakeClock;
let log: ReturnType<typeof recordedLog>;
let refusals: RefusalLog;

beforeEach(() => {
  clock = new FakeClock();
  log = recordedLog();
  refusals = refusalLog(log, clock);
});

function refuse(reason: string, address: string, times = 1): void {
  for (let n = 0; n < times; n += 1) refusals.warn('gate.refused', { reason, address });
}

test('says who and why at once, and then how often, each ten seconds at most', () => {
  refuse('full', '203.0.113.9', 1000);
  refuse('origin', '203.0.113.9', 5);
  refuse('full', '203.0.113.10');
  expect(log.lines.map(({ fields }) => fields)).toEqual([
    { reason: 'full', address: '203.0.113.9', count: 1 },
    { reason: 'origin', address: '203.0.113.9', count: 1 },
    { reason: 'full', address: '203.0.113.10', count: 1 },
  ]);
  clock.advance(REFUSALS_EVERY_MS);
  refuse('full', '203.0.113.9', 3);
  expect(log.lines.at(-1)?.fields).toEqual({ reason: 'full', address: '203.0.113.9', count: 1000 });
  expect(log.lines.length).toBe(4);
});

test('remembers so many and no more: the others share a line for each reason', () => {
  const addresses = Array.from({ length: 5000 }, (_, n) => `2001:db8:${n.toString(16)}::1`);
  for (const address of addresses) refuse('full', address);
  refuse('origin', '203.0.113.9');
  expect(log.lines.length).toBe(REFUSED_PAIRS_MAX + 2);
  expect(log.lines.slice(-2).map(({ fields }) => fields)).toEqual([
    { reason: 'full', address: OTHERS, count: 1 },
    { reason: 'origin', address: OTHERS, count: 1 },
  ]);
  refuse('full', '2001:db8:0::1', 6);
  clock.advance(REFUSALS_EVERY_MS);
  // Those who have been silent make room, and what was not said of them is said.
  refuse('full', 'new');
  expect(log.lines.slice(-2).map(({ fields }) => fields)).toEqual([
    { reason: 'full', address: '2001:db8:0::1', count: 6 },
    { reason: 'full', address: 'new', count: 1 },
  ]);
  for (const address of addresses) refuse('full', address);
  expect(log.lines.length).toBeLessThanOrEqual(2 * (REFUSED_PAIRS_MAX + 2) + 2);
  const others = log.lines.filter(({ fields }) => fields['address'] === OTHERS).at(-1);
  expect(others?.fields['count']).toBeGreaterThanOrEqual(5000 - REFUSED_PAIRS_MAX - 1);
});

test('at level debug each refusal has a line of its own besides, a thousand a second at most', () => {
  const debugging = recordedLog({ debugging: true });
  refusals = refusalLog(debugging, clock);
  refuse('full', '203.0.113.9', 3);
  const fields = { reason: 'full', address: '203.0.113.9' };
  const line = { level: 'debug', event: 'gate.refused', fields };
  expect(debugging.lines.filter(({ level }) => level === 'debug')).toEqual([line, line, line]);
  refuse('full', '203.0.113.9', 5000);
  const each = () => debugging.lines.filter(({ level }) => level === 'debug').length;
  expect(each()).toBe(REFUSALS_PER_SECOND_MAX);
  clock.advance(1000);
  refuse('full', '203.0.113.9', 2);
  expect(each()).toBe(REFUSALS_PER_SECOND_MAX + 2);
});

test('above level debug, and where the refused thing has lines of its own, there are none', () => {
  refuse('full', '203.0.113.9', 3);
  const debugging = recordedLog({ debugging: true });
  refusals = refusalLog(debugging, clock, { hasOwnLines: true });
  refuse('full', '203.0.113.9', 3);
  expect([...log.lines, ...debugging.lines].map(({ level }) => level)).toEqual(['warn', 'warn']);
});
