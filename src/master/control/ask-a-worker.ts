/**
 * What only a Worker can tell, as the master has no store and no Redis. Two are asked, and the first answer counts, so that one
 * that hangs is not waited for; an error that is an answer counts too.
 */
import type { Peer } from '../../platform/rpc/peer.js';
import { type ErrorCode, errorText, isSpushError, SpushError } from '../../shared/base/errors.js';
import type { ToChild, ToMaster } from '../../shared/protocol/ipc.js';

const ASKERS = 2;

export interface AskedChild {
  readonly name: string;
  readonly peer: Pick<Peer<ToMaster, ToChild>, 'call'>;
}

type Calls = ToChild['calls'];

export async function askAWorker<N extends 'user.show' | 'message.show' | 'nodes.figures'>(
  workers: readonly AskedChild[],
  { name, args, deadlineMs }: { name: N; args: Calls[N]['args']; deadlineMs: number },
): Promise<Calls[N]['result']> {
  const asked = workers.slice(0, ASKERS);
  if (asked.length === 0) {
    const text = 'no Worker of this node is ready to be asked; spush process show tells what they do';
    throw new SpushError('RPC_PEER_GONE', text);
  }
  const answers = asked.map(async ({ peer }) => {
    try {
      return { result: await peer.call(name, args, { deadlineMs }) };
    } catch (error) {
      if (isSpushError(error) && NO_ANSWER.has(error.code)) throw error;
      return { error };
    }
  });
  const first = await Promise.any(answers).catch((cause: AggregateError) => {
    const faults = cause.errors as [SpushError, ...SpushError[]];
    return { error: new SpushError(faults[0].code, faults.map(errorText).join('; '), { cause }) };
  });
  if ('error' in first) throw first.error;
  return first.result;
}

const NO_ANSWER: ReadonlySet<ErrorCode> = new Set(['RPC_TIMEOUT', 'RPC_PEER_GONE', 'RPC_BUSY']);
