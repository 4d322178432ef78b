import { describe, expect, it } from 'vitest';
import { closePaced, slotSize } from '../../../../src/worker/gateway/close-paced.js';

describe('closing paced', () => {
  it('keeps to the rate as long as there is time, and is faster when there is not', () => {
    expect(slotSize(10, 7500)).toBe(50);
    expect(slotSize(7500, 7500)).toBe(50);
    expect(slotSize(100_000, 7500)).toBe(667);
    expect(slotSize(1000, 0)).toBe(1000);
  });

  it('closes each once, slot by slot', async () => {
    const closed: number[] = [];
    const waits: [number, number][] = [];
    await closePaced(
      Array.from({ length: 120 }, (_, n) => n),
      (n) => closed.push(n),
      {
        withinMs: 5000,
        wait: async (ms) => {
          waits.push([closed.length, ms]);
        },
      },
    );
    expect(closed).toEqual(Array.from({ length: 120 }, (_, n) => n));
    expect(waits).toEqual([
      [50, 50],
      [100, 50],
    ]);
  });
});
