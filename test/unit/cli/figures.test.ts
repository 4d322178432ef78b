import { describe, expect, test } from 'vitest';
import { age, cpu, memory, memoryPair, shortTime, time } from '../../../src/cli/figures.js';

const NOW = new Date('2021-02-03T12:00:00.000');
const ago = (seconds: number) => new Date(NOW.getTime() - seconds * 1000).toISOString();

test.each([
  [0, '0.00 b'],
  [1023, '1023.00 b'],
  [1024, '1.00 kb'],
  [12.34 * 1024 * 1024, '12.34 mb'],
  [1024 ** 2 - 1, '1.00 mb'],
  [3 * 1024 ** 3, '3.00 gb'],
  [2000 * 1024 ** 5, '2000.00 pb'],
  [null, '-'],
])('%s bytes are %s', (bytes, text) => expect(memory(bytes)).toBe(text));

test.each([
  [1024, 2048, '1.0/2.0 kb'],
  [1024, 2 * 1024 ** 2, '1.0 kb/2.0 mb'],
  [1, 1024, '1.0 b/1.0 kb'],
  [null, 1024, '-/1.0 kb'],
  [null, null, '-/-'],
])('%s bytes now and %s at most are %s', (bytes, peak, text) => {
  expect(memoryPair(bytes, peak)).toBe(text);
});

test.each([
  [0, '0.0'],
  [9.94, '9.9'],
  [9.96, '10'],
  [250.4, '250'],
  [null, '-'],
])('%s per cent are %s', (percent, text) => expect(cpu(percent)).toBe(text));

test.each([
  [119, '119s'],
  [120, '2m'],
  [7199, '119m'],
  [7200, '2h'],
  [2 * 86_400 - 1, '47h'],
  [2 * 86_400, '2d'],
  [400 * 86_400, '400d'],
  [-3, '0s'],
])('%d seconds ago is %s', (seconds, text) => expect(age(ago(seconds), NOW)).toBe(text));

describe('a time', () => {
  test('is written as in the original', () => {
    expect(time(ago(60))).toBe('2021-02-03 11:59:00');
    expect(time(null)).toBe('-');
  });

  test('in short is that of the day, or the day with it when that is not enough', () => {
    expect(shortTime(ago(60), NOW)).toBe('11:59:00');
    expect(shortTime(ago(2 * 86_400), NOW)).toBe('02-01\n12:00');
    expect(shortTime(null, NOW)).toBe('-');
    expect(age(null, NOW)).toBe('-');
  });
});
