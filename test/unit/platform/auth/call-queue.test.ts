import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CallQueue } from '../../../../src/platform/auth/call-queue.js';
import { systemClock } from '../../../../src/platform/clock/system-clock.js';

let turnedAway: number;
let places: number;
let queue: CallQueue;

beforeEach(() => {
  vi.useFakeTimers();
  turnedAway = 0;
  places = 2;
  queue = new CallQueue({
    concurrency: () => places,
    waitingMax: 3,
    waitMsMax: 30_000,
    clock: systemClock,
    onTurnedAway: () => {
      turnedAway += 1;
    },
  });
});

afterEach(() => {
  vi.useRealTimers();
});

/** A call that runs until it is ended. */
function begin(name: string, begun: string[]) {
  let end: () => void = () => {};
  const done = queue.run(async () => {
    begun.push(name);
    await new Promise<void>((resolve) => {
      end = resolve;
    });
    return name;
  });
  return { done, end: () => end() };
}

test('runs so many at a time, the others in order of arrival', async () => {
  const begun: string[] = [];
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => begin(name, begun));
  await vi.advanceTimersByTimeAsync(0);
  expect(begun).toEqual(['a', 'b']);
  b?.end();
  await b?.done;
  await vi.advanceTimersByTimeAsync(0);
  expect(begun).toEqual(['a', 'b', 'c']);
  a?.end();
  c?.end();
  await Promise.all([a?.done, c?.done]);
  await vi.advanceTimersByTimeAsync(0);
  expect(begun).toEqual(['a', 'b', 'c', 'd']);
  d?.end();
  expect(await d?.done).toBe('d');
  expect(turnedAway).toBe(0);
});

test('a full line turns away at once', async () => {
  const begun: string[] = [];
  for (let n = 0; n < 5; n += 1) void begin(`${n}`, begun);
  await expect(queue.run(async () => 1)).rejects.toMatchObject({
    code: 'GZCP_UNAVAILABLE',
    message: '3 logins wait for the main site already',
  });
  expect(turnedAway).toBe(1);
});

test('who has waited 30 s is turned away, later ones later', async () => {
  const begun: string[] = [];
  const running = [begin('a', begun), begin('b', begun)];
  const early = expect(queue.run(async () => 'early')).rejects.toMatchObject({ code: 'GZCP_UNAVAILABLE' });
  await vi.advanceTimersByTimeAsync(10_000);
  const later = queue.run(async () => 'later');
  await vi.advanceTimersByTimeAsync(19_999);
  expect(turnedAway).toBe(0);
  await vi.advanceTimersByTimeAsync(1);
  await early;
  for (const call of running) call.end();
  expect(await later).toBe('later');
  expect(turnedAway).toBe(1);
});

test('a call that throws gives its place to the next', async () => {
  const failing = Array.from({ length: 2 }, () => queue.run(() => Promise.reject(new Error('x'))));
  const next = queue.run(async () => 'next');
  for (const call of failing) await expect(call).rejects.toThrow('x');
  expect(await next).toBe('next');
});

test('follows the number of places: fewer let nobody in, more let in as many as wait', async () => {
  const begun: string[] = [];
  const [a, b] = [begin('a', begun), begin('b', begun)];
  begin('c', begun);
  begin('d', begun);
  begin('e', begun);
  await vi.advanceTimersByTimeAsync(0);
  places = 1;
  a.end();
  await a.done;
  await vi.advanceTimersByTimeAsync(0);
  expect(begun).toEqual(['a', 'b']);
  places = 3;
  b.end();
  await b.done;
  await vi.advanceTimersByTimeAsync(0);
  expect(begun).toEqual(['a', 'b', 'c', 'd', 'e']);
});
