import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FollowTable } from '../../../../src/master/relay/follow-table.js';
import { turns } from '../../../support/deferred.js';

interface Follower {
  readonly name: string;
}

describe('FollowTable', () => {
  it('agrees with a map of sets, whatever is added, removed and forgotten', async () => {
    const followers: readonly Follower[] = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];
    const step = fc.record({
      do: fc.constantFrom('add', 'add', 'remove', 'forget'),
      uid: fc.integer({ min: 1, max: 5 }),
      who: fc.nat({ max: 2 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const table = new FollowTable<Follower>();
        const model = new Map<number, Set<Follower>>();
        const ended = new Set<Follower>();
        for (const { do: what, uid, who } of steps) {
          const follower = followers[who];
          if (!follower || ended.has(follower)) continue;
          const set = model.get(uid) ?? new Set();
          model.set(uid, set);
          if (what === 'add') {
            table.add(uid, follower);
            set.add(follower);
          } else if (what === 'remove') {
            table.remove(uid, follower);
            set.delete(follower);
          } else {
            table.forget(follower);
            ended.add(follower);
            for (const each of model.values()) each.delete(follower);
          }
          for (const [known, expected] of model) expect(new Set(table.of(known))).toEqual(expected);
        }
        await turns();
        expect(table.size).toBe([...model.values()].filter(({ size }) => size > 0).length);
      }),
    );
  });

  it('forgets a follower of very many users slice by slice, but at once for whoever looks', async () => {
    const table = new FollowTable<Follower>();
    const [gone, stays] = [{ name: 'gone' }, { name: 'stays' }];
    for (let uid = 1; uid <= 50_000; uid += 1) table.add(uid, gone);
    table.add(50_000, stays);
    table.forget(gone);
    expect([...table.of(49_999)]).toEqual([]);
    expect([...table.of(50_000)]).toEqual([stays]);
    expect(table.size).toBeGreaterThan(1);
    await turns(5);
    expect(table.size).toBe(1);
  });
});
