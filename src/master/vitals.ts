/** How the node is, for the service manager: whether it does its work, and one line for people. */
import type { Vitals } from '../platform/notify/notifier.js';
import { counted } from '../shared/base/counted.js';

export interface VitalsDeps {
  /** How many Workers are ready, and how many there should be. */
  readonly readyWorkers: () => number;
  readonly workers: () => number;
  /** Workers that answered through the front door a moment ago. */
  readonly openWorkers: () => number;
  /** As last heard: nobody is asked, so that a child that hangs cannot hold this up. */
  readonly connections: () => number;
  readonly isStopping: () => boolean;
}

/**
 * One Worker that answers through the front door is enough: the others are being started again, and to end them all would not help. A stop has
 * a deadline of its own.
 */
export function nodeVitals(deps: VitalsDeps): Vitals {
  const { readyWorkers, workers, openWorkers, connections, isStopping } = deps;
  if (isStopping()) return { healthy: true, status: 'stopping' };
  const ready = readyWorkers();
  const open = Math.min(ready, openWorkers());
  const closed = open < ready ? `, ${ready - open} of them answer nobody` : '';
  return {
    healthy: open > 0,
    status: `${ready} of ${workers()} Workers ready${closed}, ${counted(connections(), 'connection')}`,
  };
}
