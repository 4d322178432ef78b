import { describe, expect, it } from 'vitest';
import { PRUNE_SLICE, pruneTask } from '../../../../src/task/tasks/prune.js';
import { FakeClock } from '../../../support/fake-clock.js';

function setUp(expired: number) {
  const clock = new FakeClock();
  const slices: { before: number; limit: number }[] = [];
  let left = expired;
  const abort = new AbortController();
  const task = pruneTask({
    store: {
      prune: async (before, limit) => {
        slices.push({ before, limit });
        const deleted = Math.min(limit, left);
        left -= deleted;
        return deleted;
      },
    },
    clock,
    keepMs: () => 86_400_000,
  });
  return { run: () => task.run({}, { signal: abort.signal }), slices, clock, abort };
}

describe('prune', () => {
  it('deletes in slices until nothing is left, counting from one moment', async () => {
    const { run, slices, clock } = setUp(2500);
    expect(await run()).toEqual({ deleted: 2500 });
    expect(slices).toHaveLength(4);
    for (const slice of slices)
      expect(slice).toEqual({ before: clock.now() - 86_400_000, limit: PRUNE_SLICE });
  });

  it('stops between slices when its signal is raised', async () => {
    const { run, slices, abort } = setUp(1_000_000);
    const running = expect(run()).rejects.toThrow('enough');
    await new Promise((resolve) => setImmediate(resolve));
    abort.abort(new Error('enough'));
    await running;
    expect(slices.length).toBeLessThan(10);
  });
});
