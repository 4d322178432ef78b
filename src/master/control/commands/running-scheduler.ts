/** The CrontabScheduler, to be asked for something; there is none for a moment after it has died. */
import type { Peer } from '../../../platform/rpc/peer.js';
import { SpushError } from '../../../shared/base/errors.js';
import type { ToChild, ToMaster } from '../../../shared/protocol/ipc.js';

export interface AskedScheduler {
  readonly peer: Pick<Peer<ToMaster, ToChild>, 'call'>;
}
export type FindScheduler = () => AskedScheduler | undefined;

export function runningScheduler(find: FindScheduler): AskedScheduler {
  const running = find();
  if (running) return running;
  throw new SpushError(
    'CRON_NOT_RUNNING',
    'the CrontabScheduler is not running at the moment; try again soon',
  );
}
