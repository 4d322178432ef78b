import { beforeEach, expect, test } from 'vitest';
import type { BusEvent } from '../../../../src/shared/protocol/bus-events.js';
import { recentGap } from '../../../../src/worker/delivery/gap.js';
import { TransitBox } from '../../../../src/worker/handoff/transit-box.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { itemFor } from '../../../support/messages.js';

const clock = new FakeClock();
const gap = { since: clock.now() - 5000 };
let transit: TransitBox;

beforeEach(() => {
  transit = new TransitBox(clock);
  transit.expect({ id: 'a', uid: 7 });
  transit.expect({ id: 'b', uid: 7 });
  transit.expect({ id: 'visitor', uid: null });
});

const push = (uid: number, n: number): BusEvent => ({ t: 'push', uid, items: [itemFor(uid, n)] });
const notice = (n: number): BusEvent => ({ t: 'notice', item: itemFor(null, n) });

test('keeps for each session what is for its user and what is for everybody, in order', () => {
  const events = [push(7, 1), notice(2), push(8, 3), push(7, 4)];
  for (const event of events) transit.onEvent(event);
  expect(transit.take('a')?.events).toEqual([events[0], events[1], events[3]]);
  expect(transit.take('b')?.events).toEqual([events[0], events[1], events[3]]);
  expect(transit.take('visitor')?.events).toEqual([events[1]]);
  expect(transit.size).toBe(0);
});

test('forgets a session when it is taken', () => {
  expect(transit.take('a')).toMatchObject({ uid: 7, events: [], gap: null, kicked: null });
  transit.onEvent(push(7, 1));
  expect(transit.take('a')).toBeNull();
  expect(transit.has('a')).toBe(false);
  expect(transit.take('b')?.events).toHaveLength(1);
});

test('is bounded: beyond it the session has a gap', () => {
  for (let n = 0; n < 300; n += 1) transit.onEvent(push(7, n));
  expect(transit.take('a')).toMatchObject({ gap: recentGap(clock), events: { length: 200 } });
  expect(transit.take('visitor')).toMatchObject({ gap: null });
});

test('remembers a gap of the bus, and that the site closed the user’s connections', () => {
  transit.onGap(gap);
  transit.onKick({ uid: 7, reason: 'late', late: true });
  transit.onKick({ uid: 7, reason: 'banned' });
  transit.onKick({ uid: 7, reason: 'late', late: true });
  expect(transit.take('a')).toMatchObject({ gap, kicked: { reason: 'banned' } });
  expect(transit.take('visitor')).toMatchObject({ gap, kicked: null });
});

test('a session that is announced anew begins anew', () => {
  transit.onEvent(push(7, 1));
  transit.expect({ id: 'a', uid: 8 });
  transit.onEvent(push(7, 2));
  transit.onEvent(push(8, 3));
  expect(transit.take('a')).toMatchObject({ uid: 8, events: [push(8, 3)] });
});
