/** The troubles of this node for the metrics, as the master adds them up; when it does not answer, this Worker's own. */
import type { Troubles } from '../platform/health/troubles.js';
import type { MasterPeer } from '../platform/rpc/master-link.js';
import { addUpTroubles, type NodeTroubles } from '../shared/protocol/node-troubles.js';

/** The page of metrics is waited for. */
const DEADLINE_MS = 500;

export async function nodeTroubles(
  peer: Pick<MasterPeer, 'call'>,
  own: Pick<Troubles, 'report'>,
): Promise<NodeTroubles> {
  try {
    return await peer.call('node.troubles', {}, { deadlineMs: DEADLINE_MS });
  } catch {
    // Its own end is told elsewhere; the page is made all the same.
    return addUpTroubles([own.report()]);
  }
}
