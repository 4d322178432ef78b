import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Envelopes,
  MESSAGE_BYTES_MAX,
  type Opened,
  TOLERANCE_MS,
} from '../../../../../src/platform/bus/redis/envelope.js';
import { LANES_MAX, SenderNumbers } from '../../../../../src/platform/bus/redis/sender-numbers.js';
import { FakeClock } from '../../../../support/fake-clock.js';

const NOW = 1_767_225_600_000;
const KEY = { id: 'a', secret: 'a secret of a test, which is long enough' };
const OLD = { id: 'old', secret: 'one that was taken away, and is long too' };
const sender = { node: 'web1-5f3a9c0e21b4', process: 'spush.websocket.Worker.0', lane: 1 };
const envelopes = new Envelopes([KEY]);
const seal = (contents = '{"t":"gone"}', seq = 1, channel = 'spush:all') =>
  envelopes.seal(channel, { sender, seq, ts: NOW, contents });

describe('an envelope', () => {
  it('is opened as it was sealed', () => {
    const opened = envelopes.open('spush:all', seal('{"t":"ä"}\n{}', 17), NOW) as Opened;
    expect(opened).toMatchObject({ sender, seq: 17, ts: NOW });
    expect(opened.contents.toString()).toBe('{"t":"ä"}\n{}');
  });

  it('is opened with any key there is, and signed with the first', () => {
    const both = new Envelopes([OLD, KEY]);
    expect(both.open('c', seal('', 1, 'c'), NOW)).toMatchObject({ seq: 1 });
    expect(envelopes.open('c', both.seal('c', { sender, seq: 1, ts: NOW, contents: '' }), NOW)).toBe(
      'unknownKey',
    );
  });

  it('is refused on another channel', () => {
    expect(envelopes.open('spush:user:7', seal(), NOW)).toBe('forged');
  });

  it('is refused when clocks differ too much, in either direction', () => {
    expect(envelopes.open('spush:all', seal(), NOW + TOLERANCE_MS)).toMatchObject({ seq: 1 });
    expect(envelopes.open('spush:all', seal(), NOW + TOLERANCE_MS + 1)).toBe('time');
    expect(envelopes.open('spush:all', seal(), NOW - TOLERANCE_MS - 1)).toBe('time');
  });

  it('is refused unread when it is too large', () => {
    expect(envelopes.open('spush:all', Buffer.alloc(MESSAGE_BYTES_MAX + 1), NOW)).toBe('tooLarge');
  });

  it('is refused when any byte of it was changed, added or taken away', () => {
    const good = seal();
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const bad = Buffer.from(good);
        bad[at] = ((bad[at] ?? 0) + by) % 256;
        expect(typeof envelopes.open('spush:all', bad, NOW)).toBe('string');
        expect(typeof envelopes.open('spush:all', good.subarray(0, at), NOW)).toBe('string');
      }),
    );
    expect(envelopes.open('spush:all', Buffer.concat([good, Buffer.from(' ')]), NOW)).toBe('forged');
  });

  it('is refused, and nothing is thrown, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        expect(typeof envelopes.open('c', Buffer.from(bytes), NOW)).toBe('string');
      }),
    );
  });
});

describe('the numbers of senders', () => {
  const opened = (seq: number, lane = 1, ts = NOW): Opened => ({
    sender: { ...sender, lane },
    seq,
    ts,
    contents: Buffer.alloc(0),
  });

  it('rise: what is not above the last one is not new', () => {
    const numbers = new SenderNumbers(new FakeClock(NOW));
    expect([5, 5, 4, 6, 6, 100, 7].map((seq) => numbers.take(opened(seq)))).toEqual([
      true,
      false,
      false,
      true,
      false,
      true,
      false,
    ]);
  });

  it('are counted for each connection of a sender by itself', () => {
    const numbers = new SenderNumbers(new FakeClock(NOW));
    expect(numbers.take(opened(5, 1))).toBe(true);
    expect(numbers.take(opened(5, 2))).toBe(true);
  });

  it('are forgotten when a repetition would be too old anyway, and never more than a bound', () => {
    const clock = new FakeClock(NOW);
    const numbers = new SenderNumbers(clock);
    for (let lane = 1; lane <= LANES_MAX + 10; lane += 1) numbers.take(opened(1, lane));
    expect(numbers.size).toBe(LANES_MAX);
    clock.advance(2 * TOLERANCE_MS + 1);
    numbers.take(opened(1, 1, clock.now()));
    expect(numbers.size).toBe(1);
  });
});
