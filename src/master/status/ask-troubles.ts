/** Asks every process of the node what troubles it has. One that does not answer in time is left out: it has others. */
import type { Troubles } from '../../platform/health/troubles.js';
import type { Log } from '../../platform/log/log.js';
import type { Peer } from '../../platform/rpc/peer.js';
import { errorText } from '../../shared/base/errors.js';
import type { TroubleReport } from '../../shared/domain/trouble.js';
import type { ToChild, ToMaster } from '../../shared/protocol/ipc.js';
import { troubleReportSchema } from '../../shared/protocol/node-troubles.js';

const DEADLINE_MS = 1000;

export interface TroubledChild {
  readonly name: string;
  readonly peer: Pick<Peer<ToMaster, ToChild>, 'call'>;
}

export interface AskTroublesDeps {
  /** The master's own. */
  readonly name: string;
  readonly own: Pick<Troubles, 'report'>;
  readonly children: () => readonly TroubledChild[];
  readonly log: Log;
}

export interface ProcessTroubles {
  readonly process: string;
  readonly report: TroubleReport;
}

/** The master first. */
export async function askTroubles({ name, own, children, log }: AskTroublesDeps): Promise<ProcessTroubles[]> {
  const asked = children().map(async (child): Promise<ProcessTroubles[]> => {
    try {
      const answer: unknown = await child.peer.call('troubles', {}, { deadlineMs: DEADLINE_MS });
      return [{ process: child.name, report: troubleReportSchema.parse(answer) }];
    } catch (error) {
      log.debug('troubles.silent', { child: child.name, error: errorText(error) });
      return [];
    }
  });
  return [{ process: name, report: own.report() }, ...(await Promise.all(asked)).flat()];
}
