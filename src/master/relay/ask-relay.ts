/** Puts a question to every Worker of this node and gathers what comes in time. */

import type { Log } from '../../platform/log/log.js';
import type { Peer } from '../../platform/rpc/peer.js';
import { errorText } from '../../shared/base/errors.js';
import type { ToChild, ToMaster } from '../../shared/protocol/ipc.js';

export interface AskedWorker {
  readonly name: string;
  readonly peer: Pick<Peer<ToMaster, ToChild>, 'call'>;
}

type Ask = ToMaster['calls']['workers.ask'];

export async function askWorkers(
  deps: { workers: readonly AskedWorker[]; log: Log },
  { question, args, deadlineMs }: Ask['args'],
): Promise<Ask['result']> {
  const answers: { from: string; result: unknown }[] = [];
  const silent: string[] = [];
  await Promise.all(
    deps.workers.map(async ({ name, peer }) => {
      try {
        answers.push({ from: name, result: await peer.call('answer', { question, args }, { deadlineMs }) });
      } catch (error) {
        silent.push(name);
        deps.log.warn('ask.silent', { worker: name, question, error: errorText(error) });
      }
    }),
  );
  return { answers, silent };
}
