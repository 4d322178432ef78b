import { Duplex } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { closeSoon } from '../../../../src/worker/gateway/last-words.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A peer that takes nothing, or all of it, and never closes its side. */
function socketOf(takes: boolean): Duplex {
  return new Duplex({
    read() {},
    write(_chunk, _encoding, done) {
      if (takes) done();
    },
    final(done) {
      if (takes) done();
    },
  });
}

test.each([true, false])('a peer that does not close its side is cut (takes the answer: %s)', (takes) => {
  const socket = socketOf(takes);
  socket.write('answer');
  closeSoon(socket);
  vi.advanceTimersByTime(1999);
  expect([socket.writableEnded, socket.destroyed]).toEqual([true, false]);
  vi.advanceTimersByTime(1);
  expect(socket.destroyed).toBe(true);
});

test('one that is closed before leaves no timer', async () => {
  const socket = socketOf(true);
  closeSoon(socket);
  socket.destroy();
  await vi.advanceTimersByTimeAsync(1);
  expect(vi.getTimerCount()).toBe(0);
});
