import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { MemoryWatch } from '../../../src/worker/memory-watch.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('says nothing while it cannot know', () => {
  const said: unknown[] = [];
  const watch = new MemoryWatch({
    limitBytes: () => 1,
    rssBytes: () => null,
    lookMs: 1000,
    peer: { note: (name, args) => void said.push([name, args]) },
  });
  watch.start();
  vi.advanceTimersByTime(3000);
  watch.stop();
  expect(said).toEqual([]);
});

test('says so again and again while it uses more than it may, and nothing without a limit', () => {
  let limit: number | null = null;
  const said: unknown[] = [];
  const watch = new MemoryWatch({
    limitBytes: () => limit,
    rssBytes: () => 200,
    lookMs: 1000,
    peer: { note: (name, args) => void said.push([name, args]) },
  });
  watch.start();
  vi.advanceTimersByTime(3000);
  expect(said).toEqual([]);
  limit = 100;
  vi.advanceTimersByTime(2000);
  const note = ['memory.above', { rssBytes: 200, limitBytes: 100 }];
  expect(said).toEqual([note, note]);
  limit = 200;
  vi.advanceTimersByTime(1000);
  expect(said).toHaveLength(2);
  limit = 1;
  watch.stop();
  vi.advanceTimersByTime(5000);
  expect(said).toHaveLength(2);
});
