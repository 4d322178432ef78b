import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Child } from '../../../../src/master/supervisor/child.js';
import {
  MEMORY_REPLACE_EVERY_MS,
  MEMORY_RETRY_MS,
  MemoryGuard,
} from '../../../../src/master/supervisor/memory-guard.js';
import { deferred } from '../../../support/deferred.js';
import { FakeNode } from '../../../support/fake-node.js';

const USE = { rssBytes: 200, limitBytes: 100 };

async function guarded() {
  const node = await FakeNode.start();
  const { supervisor, replacer, replacing, clock, log } = node;
  const guard = new MemoryGuard({ supervisor, replacer, replacing, clock, log });
  const child = (): Child => {
    const found = node.slot('Worker.0').child;
    if (!found) throw new Error('nobody is there');
    return found;
  };
  const events = () => log.lines.map(({ event }) => event).filter((event) => event.startsWith('memory.'));
  return { node, guard, child, events };
}

describe('a Worker that uses more memory than it may', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
  afterEach(() => vi.useRealTimers());

  it('is replaced, its connections moved', async () => {
    const { node, guard, child, events } = await guarded();
    const old = node.last('Worker.0');
    const done = guard.above(child(), USE);
    const next = await node.comesUp(old);
    await done;
    expect(node.slot('Worker.0').child?.pid).toBe(next.pid);
    expect(events()).toEqual(['memory.above', 'memory.replaced']);
  });

  it('is not replaced again and again: that it is above the limit once more is said once', async () => {
    const { node, guard, child, events } = await guarded();
    const first = node.last('Worker.0');
    const done = guard.above(child(), USE);
    const second = await node.comesUp(first);
    await done;
    await guard.above(child(), USE);
    await guard.above(child(), USE);
    expect(events()).toEqual(['memory.above', 'memory.replaced', 'memory.aboveAgain']);
    expect(node.last('Worker.0')).toBe(second);
    await vi.advanceTimersByTimeAsync(MEMORY_REPLACE_EVERY_MS);
    const again = guard.above(child(), USE);
    await node.comesUp(second);
    await again;
    expect(events().slice(3)).toEqual(['memory.above', 'memory.replaced']);
  });

  it('waits while somebody else replaces processes', async () => {
    const { node, guard, child } = await guarded();
    const old = node.last('Worker.0');
    const reload = deferred();
    const reloading = node.replacing.run('a reload', () => reload.promise);
    await guard.above(child(), USE);
    await guard.above(child(), USE);
    expect(node.last('Worker.0')).toBe(old);
    reload.resolve();
    await reloading;
    await vi.advanceTimersByTimeAsync(MEMORY_RETRY_MS);
    const next = await node.comesUp(old);
    await vi.advanceTimersByTimeAsync(0);
    expect(node.slot('Worker.0').child?.pid).toBe(next.pid);
  });

  it('goes on when its successor does not come up, and that is said', async () => {
    const { node, guard, child, events } = await guarded();
    const old = node.last('Worker.0');
    const done = guard.above(child(), USE);
    (await node.spawner.after(old)).failToStart('START_FAILED', 'no memory');
    await done;
    expect(node.slot('Worker.0').child?.pid).toBe(old.pid);
    expect(events()).toEqual(['memory.above', 'memory.notReplaced']);
  });

  it('is not replaced when it has left already', async () => {
    const { node, guard, child, events } = await guarded();
    const old = child();
    node.last('Worker.0').end(null, 'SIGKILL');
    await vi.advanceTimersByTimeAsync(0);
    await guard.above(old, USE);
    expect(events()).toEqual([]);
  });
});
