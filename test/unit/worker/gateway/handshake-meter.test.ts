import { expect, test } from 'vitest';
import { HandshakeMeter } from '../../../../src/worker/gateway/handshake-meter.js';
import { CLOCK_STEPS_MS, FakeClock } from '../../../support/fake-clock.js';

function opened(meter: HandshakeMeter, times: number): void {
  for (let n = 0; n < times; n += 1) meter.opened();
}

test('clients that are sent away come back no faster than connections were seen to open', () => {
  const clock = new FakeClock();
  let random = 0;
  const meter = new HandshakeMeter(clock, () => random);
  opened(meter, 500);
  expect(meter.perSecond).toBe(500);
  clock.advance(1000);
  opened(meter, 100);
  expect(meter.perSecond).toBe(500);

  const retryAfter = meter.retrySpread(5000);
  expect(retryAfter()).toBe(1);
  random = 0.999;
  expect(retryAfter()).toBe(10);
  expect(meter.retrySpread(3)()).toBe(1);
});

test.each(CLOCK_STEPS_MS)('does not measure a second twice when the clock is set by %d ms in it', (step) => {
  const clock = new FakeClock();
  const meter = new HandshakeMeter(clock, () => 0);
  opened(meter, 300);
  clock.step(step);
  opened(meter, 300);
  expect(meter.perSecond).toBe(600);
});

test('without a measurement a modest rate is taken for granted, and nobody is kept away for long', () => {
  const meter = new HandshakeMeter(new FakeClock(), () => 0.9999);
  expect(meter.retrySpread(2000)()).toBe(10);
  expect(meter.retrySpread(10_000_000)()).toBe(300);
});
