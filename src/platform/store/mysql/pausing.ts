/** Long work in memory, cut so that a process's loop goes on beside it. */
import { setImmediate } from 'node:timers/promises';

/** Runs a generator to its end and leaves the loop to others wherever it yields. */
export async function pausing<T>(steps: Generator<void, T>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await setImmediate();
  }
}
