/** How late this process's event loop is. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Seconds. */
export interface LoopDelays {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface LoopDelay {
  /** Since the last time it was asked. */
  take(): LoopDelays;
  close(): void;
}

const RESOLUTION_MS = 20;
const NANOSECONDS = 1e9;

export function openLoopDelay(): LoopDelay {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  return {
    take() {
      // Node measures the whole interval of its timer: what is above it is delay.
      const late = (nanoseconds: number) =>
        histogram.count === 0 ? 0 : Math.max(0, nanoseconds / NANOSECONDS - RESOLUTION_MS / 1000);
      const delays = {
        p50: late(histogram.percentile(50)),
        p99: late(histogram.percentile(99)),
        max: late(histogram.max),
      };
      histogram.reset();
      return delays;
    },
    close: () => void histogram.disable(),
  };
}
