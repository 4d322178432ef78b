/**
 * node:cluster ends a Worker at once when its primary has gone (lib/internal/cluster/child.js: 'disconnect' exits with 0
 * unless the Worker had left by itself). A Worker of ours still has commits to finish and close frames to write, so it
 * says beforehand that it leaves by itself.
 */
import cluster from 'node:cluster';

/** @param onError what the channel reports when the primary goes in the middle of a message; not an end in itself. */
export function outliveMaster(onError: (error: Error) => void): void {
  if (!cluster.worker) return;
  cluster.worker.exitedAfterDisconnect = true;
  cluster.worker.on('error', onError);
}
