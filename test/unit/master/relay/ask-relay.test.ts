import { describe, expect, it } from 'vitest';
import { type AskedWorker, askWorkers } from '../../../../src/master/relay/ask-relay.js';
import { SpushError } from '../../../../src/shared/base/errors.js';
import { recordedLog } from '../../../support/recorded-log.js';

function worker(name: string, answer: () => Promise<unknown>): AskedWorker {
  return { name, peer: { call: answer as AskedWorker['peer']['call'] } };
}

describe('askWorkers', () => {
  it('gathers the answers and names those that were silent', async () => {
    const workers = [
      worker('w0', async () => ({ connections: [] })),
      worker('w1', async () => Promise.reject(new SpushError('RPC_TIMEOUT', 'no answer'))),
      worker('w2', async () => ({ connections: ['x'] })),
    ];
    const log = recordedLog();
    const ask = { question: 'online', args: { uid: 1 }, deadlineMs: 100 } as const;
    expect(await askWorkers({ workers, log }, ask)).toEqual({
      answers: [
        { from: 'w0', result: { connections: [] } },
        { from: 'w2', result: { connections: ['x'] } },
      ],
      silent: ['w1'],
    });
    expect(log.lines).toMatchObject([{ event: 'ask.silent', fields: { worker: 'w1', question: 'online' } }]);
  });

  it('has nothing to gather when there is no Worker', async () => {
    const ask = { question: 'uids', args: {}, deadlineMs: 100 } as const;
    expect(await askWorkers({ workers: [], log: recordedLog() }, ask)).toEqual({ answers: [], silent: [] });
  });
});
