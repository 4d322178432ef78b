import { describe, expect, it } from 'vitest';
import { Generators } from '../../../../src/master/supervisor/generators.js';

describe('Generators', () => {
  it('gives nobody a number that a living child has', () => {
    const generators = new Generators(() => 0.999);
    const taken = Array.from({ length: 1024 }, () => generators.take());
    expect(new Set(taken).size).toBe(1024);
    expect(Math.min(...taken)).toBe(0);
    expect(Math.max(...taken)).toBe(1023);
    expect(() => generators.take()).toThrow('assertion failed');
    generators.giveBack(77);
    expect(generators.take()).toBe(77);
  });

  it('lets a number rest before it is used again', () => {
    const generators = new Generators(() => 0.5);
    const first = generators.take();
    generators.giveBack(first);
    expect(generators.take()).not.toBe(first);
  });
});
