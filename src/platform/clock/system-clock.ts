/** The machine's own two clocks: the one place that reads them. */
import { type Clock, momentOf } from '../../shared/base/clock.js';

/** Of the two readings that are compared below, those count that had the shortest pause between them. */
const TRIES = 5;

/**
 * `performance.now()` counts from the start of this thread, `hrtime` (CLOCK_MONOTONIC) from that of the machine: with the
 * difference the cheap one can be read where the other is meant.
 */
const THREAD_STARTED_MS = threadStartedMs();

export const systemClock: Clock = {
  now: () => Date.now(),
  moment: () => momentOf(THREAD_STARTED_MS + performance.now()),
};

function threadStartedMs(): number {
  let shortest = Number.POSITIVE_INFINITY;
  let startedMs = 0;
  for (let tries = 0; tries < TRIES; tries += 1) {
    const before = performance.now();
    const machineMs = Number(process.hrtime.bigint()) / 1e6;
    const after = performance.now();
    if (after - before >= shortest) continue;
    shortest = after - before;
    startedMs = machineMs - (before + after) / 2;
  }
  return startedMs;
}
