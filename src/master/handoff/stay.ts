/**
 * A Worker that was to leave stays after all. It says so itself, by the note `staying`, and is given new connections from then on:
 * one that does not hear this in time would hand back each that it is given.
 */
import type { Log } from '../../platform/log/log.js';
import { errorText, isSpushError } from '../../shared/base/errors.js';
import type { MovingWorker } from './moving-worker.js';

const STAY_MS = 3000;

/** Never rejects: one that has ended meanwhile has a successor. */
export async function stay(worker: Pick<MovingWorker, 'name' | 'pid' | 'peer'>, log: Log): Promise<void> {
  try {
    await worker.peer.call('handoff.stay', {}, { deadlineMs: STAY_MS });
  } catch (error) {
    if (isSpushError(error, 'RPC_PEER_GONE')) return;
    log.error('handoff.notStaying', { child: worker.name, childPid: worker.pid, error: errorText(error) });
  }
}
