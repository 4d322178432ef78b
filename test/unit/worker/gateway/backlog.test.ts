import { beforeEach, describe, expect, test } from 'vitest';
import { Backlog, type BehindConnection } from '../../../../src/worker/gateway/backlog.js';
import { FakeClock } from '../../../support/fake-clock.js';

let clock: FakeClock;
let backlog: Backlog;

beforeEach(() => {
  clock = new FakeClock();
  backlog = new Backlog({ clock, bytesMax: () => 1000 });
});

class Reader implements BehindConnection {
  unsentBytes = 0;
  takenBytes = 0;
  stillMs = 0;
  givenUp = false;
  readonly uid: number | null;

  constructor(uid: number | null) {
    this.uid = uid;
  }

  write(bytes: number): this {
    this.unsentBytes += bytes;
    backlog.isBehind(this, bytes);
    return this;
  }

  stoodStillMs(): number {
    return this.stillMs;
  }

  giveUp(): void {
    this.givenUp = true;
  }
}

const readers = (count: number, bytes: number): Reader[] =>
  Array.from({ length: count }, (_, n) => new Reader(n + 1).write(bytes));

describe('the backlog of a Worker', () => {
  test('has room when nobody is behind', () => {
    expect([backlog.full, backlog.hasRoom(1)]).toEqual([false, true]);
  });

  test('is full at once, without waiting for the next count', () => {
    readers(9, 100);
    expect([backlog.full, backlog.hasRoom(99)]).toEqual([false, true]);
    new Reader(10).write(100);
    expect([backlog.full, backlog.hasRoom(99)]).toEqual([true, false]);
  });

  test('what has left makes room', () => {
    const all = readers(10, 100);
    expect(backlog.full).toBe(true);
    for (const reader of all) reader.unsentBytes = 0;
    clock.advance(20);
    expect([backlog.full, backlog.hasRoom(1)]).toEqual([false, true]);
  });

  test('one user has a part of it, whatever the number of connections', () => {
    for (let n = 0; n < 5; n += 1) new Reader(7).write(25);
    expect([backlog.hasRoom(7), backlog.hasRoom(8), backlog.full]).toEqual([false, true, false]);
  });

  test('who has stood still longest is given up when there is no room, who moves is not', () => {
    const all = readers(12, 100);
    for (const [n, reader] of all.entries()) reader.stillMs = n < 6 ? 0 : n * 1000;
    expect(backlog.full).toBe(true);
    expect(all.some(({ givenUp }) => givenUp)).toBe(false);
    expect(backlog.hasRoom(99)).toBe(true);
    expect(all.map(({ givenUp }) => givenUp).lastIndexOf(false)).toBe(8);
    expect(all.filter(({ givenUp }) => givenUp)).toHaveLength(3);
  });

  test('nobody is given up who has only just begun to stand still', () => {
    const all = readers(12, 100);
    for (const reader of all) reader.stillMs = 1000;
    expect(backlog.hasRoom(99)).toBe(false);
    expect(all.some(({ givenUp }) => givenUp)).toBe(false);
  });

  test('who takes less than any line does is given up after a while without room, the slowest first', () => {
    backlog = new Backlog({ clock, bytesMax: () => 1_000_000 });
    const all = readers(12, 100_000);
    // Sums are of now: what one has taken it has no more unsent.
    const trickle = (): void => {
      for (const [n, reader] of all.entries()) reader.takenBytes += n < 6 ? n * 10 : 100_000;
      clock.advance(1000);
    };
    for (let second = 0; second < 8; second += 1) {
      expect(backlog.hasRoom(99)).toBe(false);
      trickle();
    }
    expect(all.some(({ givenUp }) => givenUp)).toBe(false);
    expect(backlog.hasRoom(99)).toBe(true);
    expect(all.map(({ givenUp }) => givenUp)).toEqual([...Array(3).fill(true), ...Array(9).fill(false)]);
  });

  test('who has little unsent and takes it is not slow', () => {
    backlog = new Backlog({ clock, bytesMax: () => 1000 });
    const all = readers(12, 100);
    expect(backlog.hasRoom(99)).toBe(false);
    for (const reader of all) reader.takenBytes += 100;
    clock.advance(8000);
    expect(backlog.hasRoom(99)).toBe(false);
    expect(all.some(({ givenUp }) => givenUp)).toBe(false);
  });

  test('its last part is for users who have nothing unsent', () => {
    readers(9, 100);
    expect([backlog.hasRoom(1), backlog.hasRoom(99)]).toEqual([false, true]);
  });
});
