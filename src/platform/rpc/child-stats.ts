/** What a child answers to `stats`: its own counts, and nothing of what it does not do. */
import { type ChildStats, NO_STATS } from '../../shared/protocol/ipc.js';

export function childStats(own: Partial<ChildStats>): ChildStats {
  return { ...NO_STATS, heapUsedBytes: process.memoryUsage().heapUsed, ...own };
}
