/** The machine's own two clocks. */
import { type Clock, momentOf } from '../../shared/base/clock.js';

/**
 * `performance.now()` counts from the start of this thread, `hrtime` (CLOCK_MONOTONIC) from that of the machine: with the
 * difference the cheap one can be read where the other is meant.
 */
const THREAD_STARTED_MS = Number(process.hrtime.bigint()) / 1e6 - performance.now();

export const systemClock: Clock = {
  now: () => Date.now(),
  moment: () => momentOf(THREAD_STARTED_MS + performance.now()),
};
