import { expect, test } from 'vitest';
import { type AskedChild, askAWorker } from '../../../../src/master/control/ask-a-worker.js';
import { SpushError } from '../../../../src/shared/base/errors.js';
import type { MessageId } from '../../../../src/shared/domain/message-id.js';

const ASK = {
  name: 'message.show',
  args: { id: '1574620951744348160' as MessageId },
  deadlineMs: 100,
} as const;
const late = new SpushError('RPC_TIMEOUT', 'late');

function workers(...answers: (unknown | Error)[]): AskedChild[] {
  return answers.map((answer, index) => ({
    name: `Worker.${index}`,
    peer: { call: async () => (answer instanceof Error ? Promise.reject(answer) : answer) as never },
  }));
}

test('the first answer counts, and a Worker that hangs is not waited for', async () => {
  const hangs = { name: 'Worker.0', peer: { call: () => new Promise<never>(() => {}) } };
  expect(await askAWorker([hangs, ...workers('found')], ASK)).toBe('found');
  expect(await askAWorker(workers(late, 'found'), ASK)).toBe('found');
});

test('an error that is an answer counts as one', async () => {
  const unknown = new SpushError('NOT_FOUND', 'unknown');
  await expect(askAWorker(workers(late, unknown), ASK)).rejects.toBe(unknown);
  const hangs = { name: 'Worker.1', peer: { call: () => new Promise<never>(() => {}) } };
  await expect(askAWorker([...workers(unknown), hangs], ASK)).rejects.toBe(unknown);
});

test('when none answers, that is said of each', async () => {
  const gone = new SpushError('RPC_PEER_GONE', 'gone');
  await expect(askAWorker(workers(late, gone), ASK)).rejects.toMatchObject({
    code: 'RPC_TIMEOUT',
    message: 'late; gone',
  });
  await expect(askAWorker([], ASK)).rejects.toMatchObject({ code: 'RPC_PEER_GONE' });
});
