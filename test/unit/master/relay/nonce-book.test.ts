import { describe, expect, it } from 'vitest';
import { NONCE_MS, NonceBook } from '../../../../src/master/relay/nonce-book.js';
import { CLOCK_STEPS_MS, FakeClock } from '../../../support/fake-clock.js';

function setUp(bounds: { max?: number; kept?: number } = {}) {
  const clock = new FakeClock();
  const book = new NonceBook(clock, bounds);
  const seconds = (): number => Math.floor(clock.now() / 1000);
  const claim = (
    nonce: string,
    change: { off?: number; scope?: string; timestamp?: number } = {},
  ): boolean => {
    const { off = 0, scope = 's1', timestamp = seconds() + off } = change;
    return book.claim({ scope, nonce, timestamp }) !== null;
  };
  return { clock, book, claim, seconds };
}

describe('NonceBook', () => {
  it('lets a nonce through once', () => {
    const { claim } = setUp();
    expect(claim('aaaaaaaa')).toBe(true);
    expect(claim('aaaaaaaa')).toBe(false);
    expect(claim('bbbbbbbb')).toBe(true);
  });

  it('keeps the nonces of two scopes apart', () => {
    const { claim } = setUp();
    expect(claim('aaaaaaaa', { scope: 's1' })).toBe(true);
    expect(claim('aaaaaaaa', { scope: 's2' })).toBe(true);
    expect(claim('b', { scope: 's\na' })).toBe(true);
  });

  it('knows a nonce for two tolerances, where there is no room for longer, whatever its call’s time was', () => {
    const { claim, clock } = setUp({ kept: 0 });
    for (const off of [-60, 0, 60]) {
      const timestamp = Math.floor(clock.now() / 1000) + off;
      expect(claim(`nonce${off}`, { timestamp })).toBe(true);
      clock.advance(NONCE_MS - 1);
      expect(claim(`nonce${off}`, { timestamp })).toBe(false);
      clock.advance(1000);
    }
  });

  it.each(CLOCK_STEPS_MS)('knows them when the wall clock is set by %i ms and back', (step) => {
    const { claim, clock, seconds } = setUp({ kept: 0 });
    const timestamp = seconds();
    claim('aaaaaaaa');
    clock.step(step);
    expect(claim('bbbbbbbb')).toBe(true);
    clock.advance(50_000);
    clock.step(-step);
    expect(claim('aaaaaaaa', { timestamp })).toBe(false);
  });

  it('refuses a call that a clock set back makes good again and whose nonce is forgotten, and no newer one', () => {
    const { claim, clock, seconds } = setUp({ kept: 0 });
    const timestamp = seconds();
    claim('aaaaaaaa');
    clock.advance(3_600_000);
    clock.step(-3_600_000);
    expect(claim('aaaaaaaa', { timestamp })).toBe(false);
    expect(claim('bbbbbbbb', { timestamp: timestamp + 1 })).toBe(true);
  });

  it('refuses nothing by that while the clock goes on', () => {
    const { claim, clock } = setUp({ kept: 10 });
    for (let n = 0; n < 2000; n += 1) {
      for (const off of [-60, 0, 60]) expect(claim(`nonce-${n}-${off}`, { off })).toBe(true);
      clock.advance(700);
    }
  });

  it('with room, knows them for long, so that a clock set back keeps nobody out', () => {
    const { claim, clock, seconds, book } = setUp();
    const timestamp = seconds();
    claim('aaaaaaaa');
    clock.advance(3_600_000);
    clock.step(-3_600_000);
    expect(claim('aaaaaaaa', { timestamp })).toBe(false);
    expect(claim('bbbbbbbb', { timestamp })).toBe(true);
    expect(book.forgotten).toBe(0);
  });

  it('gives up room when it has more than it need keep', () => {
    const { claim, clock, book } = setUp({ kept: 10 });
    for (let n = 0; n < 1000; n += 1) {
      claim(`nonce-${n}`);
      clock.advance(1000);
    }
    expect(book.size).toBe(NONCE_MS / 1000);
    clock.advance(NONCE_MS);
    claim('another');
    expect(book.size).toBe(11);
  });

  it('refuses rather than forgets when it is full', () => {
    const { claim, clock } = setUp({ max: 3, kept: 0 });
    for (const nonce of ['a', 'b', 'c']) claim(nonce);
    expect(() => claim('d')).toThrow(expect.objectContaining({ code: 'RPC_BUSY' }));
    expect(claim('a')).toBe(false);
    clock.advance(NONCE_MS);
    expect(claim('d')).toBe(true);
  });
});
