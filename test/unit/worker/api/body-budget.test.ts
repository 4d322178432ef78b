import { expect, test } from 'vitest';
import { BodyBudget, type BodyLimits } from '../../../../src/worker/api/body-budget.js';
import { FakeClock } from '../../../support/fake-clock.js';

const TOO_MANY = expect.objectContaining({ code: 'TOO_MANY' });

function budget(limits: Partial<BodyLimits> = {}) {
  const clock = new FakeClock();
  const all = { proven: 1000, unproven: 1000, perAddress: 300, reserve: 0, ...limits };
  return { clock, bodies: new BodyBudget(clock, all) };
}

test('what is held is counted as it grows, and given back once', () => {
  const { bodies } = budget();
  const lease = bodies.open('192.0.2.1');
  lease.hold(100);
  lease.hold(200);
  expect(bodies.held).toBe(200);
  expect(() => lease.hold(301)).toThrow(TOO_MANY);
  expect(bodies.held).toBe(200);
  lease.close();
  lease.close();
  expect(bodies.held).toBe(0);
});

test('one address gets a part of what there is for strangers, an IPv6 network counting as one', () => {
  const { bodies } = budget();
  bodies.open('192.0.2.1').hold(300);
  expect(() => bodies.open('192.0.2.1').hold(1)).toThrow(TOO_MANY);
  bodies.open('2001:db8::1').hold(200);
  expect(() => bodies.open('2001:db8::2').hold(101)).toThrow(TOO_MANY);
  bodies.open('192.0.2.2').hold(300);
  expect(() => bodies.open('192.0.2.3').hold(201)).toThrow(TOO_MANY);
});

test('strangers who hold all they can keep out nobody who is proven', () => {
  const { bodies } = budget();
  for (let n = 0; n < 10; n += 1) bodies.open(`192.0.2.${n}`).hold(100);
  expect(() => bodies.open('198.51.100.1').hold(1)).toThrow(TOO_MANY);
  const signed = bodies.open('192.0.2.1');
  signed.prove();
  signed.hold(1000);
  const more = bodies.open('198.51.100.1');
  more.prove();
  expect(() => more.hold(1)).toThrow(TOO_MANY);
});

test('an address that holds little finds room when strangers hold all, up to the reserve', () => {
  const KIB = 1024;
  const { bodies } = budget({ unproven: 1000 * KIB, perAddress: 500 * KIB, reserve: 100 * KIB });
  bodies.open('192.0.2.1').hold(500 * KIB);
  bodies.open('192.0.2.2').hold(500 * KIB);
  const small = bodies.open('198.51.100.1');
  small.hold(64 * KIB);
  expect(() => small.hold(65 * KIB)).toThrow(TOO_MANY);
  expect(() => bodies.open('192.0.2.1').hold(1)).toThrow(TOO_MANY);
  bodies.open('198.51.100.2').hold(36 * KIB);
  expect(() => bodies.open('198.51.100.3').hold(1)).toThrow(TOO_MANY);
});

test('what was held before the proof goes over with it, also when there is no room', () => {
  const { bodies } = budget();
  const full = bodies.open('198.51.100.1');
  full.prove();
  full.hold(1000);
  const late = bodies.open('192.0.2.1');
  late.hold(300);
  late.prove();
  late.prove();
  bodies.open('192.0.2.1').close();
  expect(bodies.held).toBe(1300);
  late.close();
  full.close();
  expect(bodies.held).toBe(0);
});

test('an address whose calls were proven lately counts no more as a stranger, for half of the room', () => {
  const { bodies, clock } = budget();
  const first = bodies.open('192.0.2.1');
  first.prove();
  first.close();
  for (let n = 0; n < 4; n += 1) bodies.open(`203.0.113.${n}`).hold(250);
  const next = bodies.open('192.0.2.1');
  next.hold(500);
  expect(() => bodies.open('192.0.2.1').hold(1)).toThrow(TOO_MANY);
  next.close();
  clock.advance(3_600_000);
  expect(() => bodies.open('192.0.2.1').hold(1)).toThrow(TOO_MANY);
});

test('only so many addresses are remembered', () => {
  const { bodies } = budget();
  for (let n = 0; n <= 1000; n += 1) {
    const lease = bodies.open(`10.0.${n >> 8}.${n & 255}`);
    lease.prove();
    lease.close();
  }
  bodies.open('10.0.0.1').hold(500);
  expect(() => bodies.open('10.0.0.0').hold(301)).toThrow(TOO_MANY);
});
