/** How the node is, for the service manager: whether it does its work, and one line for people. */
import type { Vitals } from '../platform/notify/notifier.js';

export interface VitalsDeps {
  /** How many Workers are ready, and how many there should be. */
  readonly readyWorkers: () => number;
  readonly workers: () => number;
  /** As last heard: nobody is asked, so that a child that hangs cannot hold this up. */
  readonly connections: () => number;
  readonly isStopping: () => boolean;
}

/**
 * One Worker that is ready is enough: the others are being started again, and to end them all would not help. A stop has
 * a deadline of its own.
 */
export function nodeVitals({ readyWorkers, workers, connections, isStopping }: VitalsDeps): Vitals {
  if (isStopping()) return { healthy: true, status: 'stopping' };
  const ready = readyWorkers();
  return {
    healthy: ready > 0,
    status: `${ready} of ${workers()} Workers ready, ${connections()} connections`,
  };
}
