/** Asks one process for its counts; null when it does not hear yet, or does not answer in time. */
import type { Log } from '../../platform/log/log.js';
import type { Peer } from '../../platform/rpc/peer.js';
import { errorText } from '../../shared/base/errors.js';
import type { ChildStats, ToChild, ToMaster } from '../../shared/protocol/ipc.js';

const STATS_DEADLINE_MS = 1000;

export interface AskedChild {
  readonly name: string;
  readonly hears: boolean;
  readonly peer: Pick<Peer<ToMaster, ToChild>, 'call'>;
}

export async function askStats({ name, hears, peer }: AskedChild, log: Log): Promise<ChildStats | null> {
  if (!hears) return null;
  try {
    return await peer.call('stats', {}, { deadlineMs: STATS_DEADLINE_MS });
  } catch (error) {
    log.debug('stats.silent', { child: name, error: errorText(error) });
    return null;
  }
}
