/** `prune`: deletes what expired long enough ago, in slices, so that no other writer waits for long. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import * as z from 'zod';
import type { MessageStore } from '../../platform/store/message-store.js';
import type { Clock } from '../../shared/base/clock.js';
import type { BuiltInTask } from '../../shared/domain/built-in-tasks.js';
import { defineTask, type Task } from '../task-runner.js';

/** Messages deleted in one commit. */
export const PRUNE_SLICE = 1000;

export interface PruneDeps {
  readonly store: Pick<MessageStore, 'prune'>;
  readonly clock: Clock;
  /** How long an expired message is kept. */
  readonly keepMs: () => number;
}

export function pruneTask({ store, clock, keepMs }: PruneDeps): Task {
  return defineTask('prune' satisfies BuiltInTask, z.object({}), async (_args, { signal }) => {
    const expiredBefore = clock.now() - keepMs();
    let deleted = 0;
    for (;;) {
      signal.throwIfAborted();
      const slice = await store.prune(expiredBefore, PRUNE_SLICE);
      deleted += slice;
      if (slice === 0) return { deleted };
      await nextTurn();
    }
  });
}
