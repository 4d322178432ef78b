import { expect, test } from 'vitest';
import { CONTROL_FRAMES, ControlFrames } from '../../../../src/worker/gateway/control-frames.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { FakeConnection } from '../../../support/fake-connection.js';

test('pings and pongs below the rate count, and the first one above it ends the connection', () => {
  const [clock, connection] = [new FakeClock(), new FakeConnection()];
  const frames = new ControlFrames(connection, clock);
  for (let second = 0; second < 60; second += 1) {
    for (let n = 0; n < CONTROL_FRAMES.perSecond; n += 1) expect(frames.take()).toBe(true);
    clock.advance(1000);
  }
  for (let n = 0; n < CONTROL_FRAMES.burst; n += 1) expect(frames.take()).toBe(true);
  expect(connection.ended).toBeNull();
  expect(frames.take()).toBe(false);
  expect(connection.ended).toMatchObject({ code: 1008, retryAfter: null });
  clock.advance(60_000);
  expect(frames.take()).toBe(false);
});
