import { describe, expect, it } from 'vitest';
import { NonceBook } from '../../../../src/master/relay/nonce-book.js';
import { FakeClock } from '../../../support/fake-clock.js';

function setUp(max?: number) {
  const clock = new FakeClock();
  const book = new NonceBook(clock, max);
  const claim = (nonce: string, seconds = 60, key = 'k1'): boolean =>
    book.claim({ key, nonce, expiresAt: clock.now() + seconds * 1000 }).fresh;
  return { clock, book, claim };
}

describe('NonceBook', () => {
  it('lets a nonce through once', () => {
    const { claim } = setUp();
    expect(claim('aaaaaaaa')).toBe(true);
    expect(claim('aaaaaaaa')).toBe(false);
    expect(claim('bbbbbbbb')).toBe(true);
  });

  it('keeps the nonces of two keys apart', () => {
    const { claim } = setUp();
    expect(claim('aaaaaaaa', 60, 'k1')).toBe(true);
    expect(claim('aaaaaaaa', 60, 'k2')).toBe(true);
    expect(claim('b', 60, 'k\na')).toBe(true);
  });

  it('forgets a nonce when it has expired, not before', () => {
    const { claim, clock, book } = setUp();
    claim('aaaaaaaa', 60);
    clock.advance(59_999);
    expect(claim('aaaaaaaa', 60)).toBe(false);
    clock.advance(1);
    expect(claim('aaaaaaaa', 60)).toBe(true);
    expect(book.size).toBe(1);
  });

  it('gives up room as nonces expire', () => {
    const { claim, clock, book } = setUp();
    for (let i = 0; i < 1000; i += 1) {
      claim(`nonce-${i}`, 60);
      clock.advance(1000);
    }
    expect(book.size).toBe(60);
  });

  it('remembers one behind an entry that lives longer, and refuses it though it is not pruned yet', () => {
    const { claim, clock } = setUp();
    claim('long', 120);
    claim('short', 10);
    expect(claim('short', 10)).toBe(false);
    clock.advance(10_000);
    expect(claim('short', 10)).toBe(true);
  });

  it('refuses rather than forgets when it is full', () => {
    const { claim, clock } = setUp(3);
    for (const nonce of ['a', 'b', 'c']) claim(nonce);
    expect(() => claim('d')).toThrow(expect.objectContaining({ code: 'RPC_BUSY' }));
    expect(claim('a')).toBe(false);
    clock.advance(60_000);
    expect(claim('d')).toBe(true);
  });
});
