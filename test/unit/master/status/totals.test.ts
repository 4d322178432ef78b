import { describe, expect, it } from 'vitest';
import { type CountingChild, StatsPoll } from '../../../../src/master/status/stats-poll.js';
import { Totals } from '../../../../src/master/status/totals.js';
import { childStats } from '../../../../src/platform/rpc/child-stats.js';
import type { ChildStats } from '../../../../src/shared/protocol/ipc.js';
import { deferred } from '../../../support/deferred.js';
import { recordedLog } from '../../../support/recorded-log.js';

const stats = (own: Partial<ChildStats>): ChildStats => childStats({ heapUsedBytes: 0, ...own });

describe('Totals', () => {
  it('adds up the last word of every living child', () => {
    const totals = new Totals<object>();
    const [a, b] = [{}, {}];
    totals.learn(a, stats({ connections: 1, accepted: 10 }));
    totals.learn(b, stats({ connections: 2, accepted: 20 }));
    totals.learn(a, stats({ connections: 3, accepted: 30 }));
    expect(totals.sum()).toMatchObject({ connections: 5, accepted: 50 });
  });

  it('keeps the counts of a child that ended, and closes the connections it still had', () => {
    const totals = new Totals<object>();
    const [dead, living] = [{}, {}];
    totals.learn(dead, stats({ connections: 4, sessions: 2, accepted: 10, closed: 6, pushes: 7 }));
    totals.learn(living, stats({ connections: 1, accepted: 1, pushes: 1 }));
    totals.ended(dead);
    totals.ended(dead);
    expect(totals.sum()).toMatchObject({ connections: 1, sessions: 0, accepted: 11, closed: 10, pushes: 8 });
    expect(totals.lastOf(dead)).toBeNull();
  });
});

describe('StatsPoll', () => {
  it('learns from whoever answers', async () => {
    const totals = new Totals<CountingChild>();
    const child = (name: string, answer: () => Promise<ChildStats>) => ({
      name,
      peer: { call: answer as never },
    });
    const good = child('good', async () => stats({ requests: 2 }));
    const bad = child('bad', () => Promise.reject(new Error('no answer')));
    const poll = new StatsPoll({
      children: () => [good, bad],
      isLiving: () => true,
      totals,
      log: recordedLog(),
    });
    await poll.now();
    expect(totals.sum().requests).toBe(2);
  });

  it('does not count a child twice that ended while its answer was on the way', async () => {
    const totals = new Totals<CountingChild>();
    const answer = deferred<ChildStats>();
    let living = true;
    const child: CountingChild = { name: 'c', peer: { call: (() => answer.promise) as never } };
    const poll = new StatsPoll({
      children: () => [child],
      isLiving: () => living,
      totals,
      log: recordedLog(),
    });
    const polled = poll.now();
    totals.learn(child, stats({ requests: 5 }));
    totals.ended(child);
    living = false;
    answer.resolve(stats({ requests: 5 }));
    await polled;
    expect(totals.sum().requests).toBe(5);
  });
});
