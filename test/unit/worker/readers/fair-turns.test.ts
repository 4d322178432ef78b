import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FairTurns } from '../../../../src/worker/readers/fair-turns.js';
import { deferred, turns } from '../../../support/deferred.js';

const LIMITS = { atOnce: 4, ofUserAtOnce: 2, weight: 100 };

let begun: string[];
let ends: (() => void)[];

beforeEach(() => {
  begun = [];
  ends = [];
});
afterEach(() => vi.useRealTimers());

function ask(
  fair: FairTurns,
  uid: number,
  name: string,
  { weight = 1, wanted = true } = {},
): Promise<string> {
  return fair.run({ uid, weight, wanted: () => wanted }, async () => {
    begun.push(name);
    const { promise, resolve } = deferred<void>();
    ends.push(() => resolve());
    await promise;
    return name;
  });
}

/** What is under way ends, one after the other, until nothing is. */
async function endAll(): Promise<void> {
  await turns();
  for (let end = ends.shift(); end !== undefined; end = ends.shift()) {
    end();
    await turns();
  }
}

describe('fair turns', () => {
  test('one user who asks for much does not keep the others waiting', async () => {
    const fair = new FairTurns(LIMITS);
    const greedy = Array.from({ length: 100 }, (_, n) => ask(fair, 1, `greedy ${n}`));
    const others = [2, 3, 4].map((uid) => ask(fair, uid, `other ${uid}`));
    await turns();
    expect(begun).toEqual(['greedy 0', 'greedy 1', 'other 2', 'other 3']);
    for (let n = 0; n < 2; n += 1) {
      ends.shift()?.();
      await turns();
    }
    expect(begun.slice(4)).toEqual(['greedy 2', 'other 4']);
    await endAll();
    expect(await Promise.all([...greedy, ...others])).toHaveLength(103);
    expect(begun.filter((name) => name.startsWith('greedy'))).toEqual(
      Array.from({ length: 100 }, (_, n) => `greedy ${n}`),
    );
    expect(fair.running).toBe(0);
  });

  test('what is under way is bounded by its weight too, and one that is heavier than all has its turn', async () => {
    const fair = new FairTurns(LIMITS);
    const all = [
      ask(fair, 1, 'a', { weight: 60 }),
      ask(fair, 2, 'b', { weight: 60 }),
      ask(fair, 3, 'c', { weight: 1000 }),
      ask(fair, 4, 'd', { weight: 1 }),
    ];
    await turns();
    expect(begun).toEqual(['a']);
    ends.shift()?.();
    await turns();
    expect(begun).toEqual(['a', 'b']);
    ends.shift()?.();
    await turns();
    expect(begun).toEqual(['a', 'b', 'c']);
    await endAll();
    expect(await Promise.all(all)).toEqual(['a', 'b', 'c', 'd']);
  });

  test('what nobody wants any more is not begun', async () => {
    const fair = new FairTurns({ ...LIMITS, atOnce: 1 });
    const first = ask(fair, 1, 'first');
    const gone = expect(ask(fair, 2, 'gone', { wanted: false })).rejects.toMatchObject({
      code: 'SHUTTING_DOWN',
    });
    const last = ask(fair, 2, 'last');
    await endAll();
    await gone;
    await Promise.all([first, last]);
    expect(begun).toEqual(['first', 'last']);
  });

  test('a failure is told to who asked, and ends the turn', async () => {
    const fair = new FairTurns({ ...LIMITS, atOnce: 1 });
    const fails = fair.run({ uid: 1, weight: 1, wanted: () => true }, () => Promise.reject(new Error('no')));
    const next = ask(fair, 1, 'next');
    await expect(fails).rejects.toThrow('no');
    await endAll();
    expect(await next).toBe('next');
  });

  test('who may not begin is passed over and looked at again soon', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    const mayNot = new Set([1]);
    const fair = new FairTurns(LIMITS, (uid) => !mayNot.has(uid));
    const held = ask(fair, 1, 'held');
    const other = ask(fair, 2, 'other');
    await turns();
    expect(begun).toEqual(['other']);
    mayNot.clear();
    vi.advanceTimersByTime(100);
    await turns();
    expect(begun).toEqual(['other', 'held']);
    await endAll();
    await Promise.all([held, other]);
  });

  test('those who may not go on are looked at together, not at each turn of somebody else', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    let asked = 0;
    let open = false;
    const fair = new FairTurns(LIMITS, () => {
      asked += 1;
      return open;
    });
    const all = Array.from({ length: 1000 }, (_, n) => ask(fair, n + 1, `${n}`));
    await turns();
    expect([begun, asked]).toEqual([[], 1000]);
    open = true;
    await vi.advanceTimersByTimeAsync(50);
    vi.useRealTimers();
    await turns();
    // In the order in which they came.
    expect(begun).toEqual(['0', '1', '2', '3']);
    await endAll();
    await Promise.all(all);
    expect(asked).toBeLessThan(3000);
  });
});
