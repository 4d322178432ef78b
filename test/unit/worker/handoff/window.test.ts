import { beforeEach, expect, test } from 'vitest';
import { Window } from '../../../../src/worker/handoff/window.js';
import { FakeClock } from '../../../support/fake-clock.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

let clock: FakeClock;
let window: Window;
let inside: number[];
let leave: (() => void)[];

beforeEach(() => {
  clock = new FakeClock();
  window = new Window({ max: 3, slowMs: 25, clock });
  inside = [];
  leave = [];
});

async function come(...who: number[]): Promise<void> {
  for (const n of who) {
    void window.enter().then((release) => {
      inside.push(n);
      leave[n] = release;
    });
  }
  await turn();
}

async function go(n: number): Promise<void> {
  leave[n]?.();
  await turn();
}

test('begins with one, and grows with each that is fast', async () => {
  await come(0, 1, 2, 3, 4, 5, 6);
  expect(inside).toEqual([0]);
  await go(0);
  expect(inside).toEqual([0, 1, 2]);
  await go(1);
  expect(inside).toEqual([0, 1, 2, 3, 4]);
  await go(2);
  expect([inside.length, window.size]).toEqual([6, 3]);
});

test('is halved by one that was slow, once for all that were inside', async () => {
  await come(0);
  await go(0);
  await come(1, 2);
  await go(1);
  await come(3, 4);
  expect(window.size).toBe(3);
  clock.advance(100);
  await go(2);
  await go(3);
  expect(window.size).toBe(1);
  await come(5, 6);
  await go(4);
  expect(inside).toEqual([0, 1, 2, 3, 4, 5]);
});

test('who leaves twice leaves once, and it tells when it is empty', async () => {
  let empty = false;
  await come(0, 1);
  void window.empty().then(() => {
    empty = true;
  });
  await go(0);
  await go(0);
  expect([inside, empty]).toEqual([[0, 1], false]);
  await go(1);
  expect(empty).toBe(true);
});
