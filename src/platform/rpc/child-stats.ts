/** What a child answers to `stats`: its own counts, and nothing of what it does not do. */
import { getHeapStatistics } from 'node:v8';
import { type ChildStats, NO_STATS } from '../../shared/protocol/ipc.js';

export function childStats(own: Partial<ChildStats>): ChildStats {
  // Not process.memoryUsage(), which opens a file of /proc and throws where no descriptor is left.
  return { ...NO_STATS, heapUsedBytes: getHeapStatistics().used_heap_size, ...own };
}
