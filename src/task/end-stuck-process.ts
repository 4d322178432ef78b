/** The end of a TaskWorker one of whose tasks cannot be ended: its last words are sent, and it ends with a fault, loudly. */
import type { Log } from '../platform/log/log.js';
import { childStats } from '../platform/rpc/child-stats.js';
import { EXIT_FAULT } from '../platform/rpc/exit-on-fault.js';
import type { MasterPeer } from '../platform/rpc/master-link.js';
import type { TaskRunner } from './task-runner.js';

/** For the answers of the tasks that were broken off, and the last counts. */
const LAST_WORDS_MS = 1000;

export interface EndOptions {
  readonly counts: TaskRunner['counts'];
  readonly peer: Pick<MasterPeer, 'note'>;
  readonly log: Log;
  /** By default this process's. */
  readonly exit?: (exitCode: number) => void;
}

export function endStuckProcess(
  reason: string,
  { counts, peer, log, exit = process.exit }: EndOptions,
): void {
  log.error('process.stuck', { reason, exitCode: EXIT_FAULT });
  const end = (): void => exit(EXIT_FAULT);
  setTimeout(end, LAST_WORDS_MS);
  // The answers are sent when their promises have settled, which is before the next turn of the loop.
  setImmediate(() => peer.note('lastStats', childStats({ ...counts, tasksRunning: 0 }), end));
}
