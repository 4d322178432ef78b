import { expect, test } from 'vitest';
import { momentMs, msLater, msSince } from '../../../../src/shared/base/clock.js';
import type { TravellingSession } from '../../../../src/shared/protocol/handoff.js';
import { RateBucket } from '../../../../src/worker/gateway/rate-bucket.js';
import { packSession, unpackLoop, unpackSession } from '../../../../src/worker/handoff/travelling.js';
import { noteSeen } from '../../../../src/worker/sessions/session.js';
import { emptyLuggage } from '../../../support/empty-luggage.js';
import { CLOCK_STEPS_MS, FakeClock } from '../../../support/fake-clock.js';
import { fakeSession } from '../../../support/fake-connection.js';
import { idOf } from '../../../support/messages.js';

test.each(
  CLOCK_STEPS_MS,
)('what a session takes along is as old there as here, when the clock is set by %d ms on the way', (step) => {
  const clock = new FakeClock();
  const { data } = fakeSession(clock);
  noteSeen(data.seen, 'm', clock.moment());
  const life = { silentSince: clock.moment(), probedAt: null, asked: 2, answered: 1 };
  Object.assign(data.life, life);
  data.life.unconfirmed.set(idOf(1), { question: 2, at: clock.moment() });
  const rate = RateBucket.full({ perSecond: 10, burst: 2 }, clock.moment());
  for (let n = 0; n < 2; n += 1) rate.take({ perSecond: 10, burst: 2 }, clock.moment());
  clock.advance(5000);
  const luggage = {
    loop: { rate: rate.state, refused: 3 },
    holdsVisitorPlace: false,
    replay: null,
    owed: [],
    head: Buffer.alloc(0),
    leftAt: clock.moment(),
  };
  // As it goes through the channels of two processes.
  const travelling = JSON.parse(JSON.stringify(packSession(data, luggage))) as TravellingSession;
  clock.step(step);
  clock.advance(20);

  const there = unpackSession(travelling);
  expect(msSince(clock, there.lastTrafficAt)).toBe(5020);
  expect(msSince(clock, there.lastHeardAt)).toBe(5020);
  expect([...there.seen].map(([id, at]) => [id, msSince(clock, at)])).toEqual([['m', 5020]]);
  expect(there.life).toEqual(data.life);
  expect(msSince(clock, there.life.silentSince ?? clock.moment())).toBe(5020);
  expect(travelling.leftAt).toBe(momentMs(msLater(clock.moment(), -20)));
  const { rate: state, refused } = unpackLoop(travelling);
  const bucket = new RateBucket(state);
  expect(Array.from({ length: 3 }, () => bucket.take({ perSecond: 0.3, burst: 2 }, clock.moment()))).toEqual([
    true,
    false,
    false,
  ]);
  expect(refused).toBe(3);
});

test('of a Worker of an earlier version, which does not say when a client was heard of, its last traffic is taken', () => {
  const clock = new FakeClock();
  const { data } = fakeSession(clock);
  const { lastHeardAt: _, ...travelling } = packSession(data, emptyLuggage(clock));
  clock.advance(30);
  expect(msSince(clock, unpackSession(travelling).lastHeardAt)).toBe(30);
});
