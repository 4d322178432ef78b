import { expect, test } from 'vitest';
import { SpushError } from '../../../../src/shared/base/errors.js';
import type { MessageFacts } from '../../../../src/shared/domain/message.js';
import type { MessageId } from '../../../../src/shared/domain/message-id.js';
import type { Questions } from '../../../../src/shared/protocol/questions.js';
import { type ShowMessageDeps, showMessage } from '../../../../src/worker/inspect/show-message.js';

const ID = '1574620951744348160' as MessageId;
const FACTS: MessageFacts = {
  id: ID,
  kind: 'comment',
  uid: 7,
  state: 'pending',
  deliver: 'cron',
  createdAt: 1000,
  expiresAt: 2000,
  sentAt: null,
  ackedAt: null,
  readAt: null,
  receipts: null,
  replacedBy: null,
  held: true,
  settled: false,
  bytes: 37,
  storedIn: 'store',
};

type Asked = Questions['spilled']['result'];

function deps(
  found: MessageFacts | null | SpushError,
  answers: Asked[] = [],
  silent: string[] = [],
): ShowMessageDeps & { asked: number } {
  const all = {
    asked: 0,
    node: 'web1-5f3a9c0e',
    hasSpills: true,
    store: { inspect: async () => (found instanceof Error ? Promise.reject(found) : found) },
    bus: {
      ask: (async () => {
        all.asked += 1;
        return { answers: answers.map((result, at) => ({ from: `${at}`, result })), silent };
      }) as unknown as ShowMessageDeps['bus']['ask'],
    },
  };
  return all;
}

test('tells what the store knows, without asking anybody else', async () => {
  const all = deps(FACTS);
  expect(await showMessage(all, ID)).toMatchObject({
    id: ID,
    state: 'pending',
    waitsForJob: 'PushCommentMsg',
    createdAt: '1970-01-01T00:00:01.000Z',
    storedIn: 'store',
    node: null,
    bytes: 37,
  });
  expect(all.asked).toBe(0);
});

test('tells in whose spill a message lies: this node’s, or another’s while the database is away', async () => {
  const spilled: MessageFacts = { ...FACTS, storedIn: 'spill' };
  expect(await showMessage(deps(spilled), ID)).toMatchObject({ storedIn: 'spill', node: 'web1' });
  const away = new SpushError('STORE_UNAVAILABLE', 'away');
  const answers = [
    { node: 'web1-5f3a9c0e', message: null },
    { node: 'web2-00000000', message: spilled },
  ];
  expect(await showMessage(deps(away, answers), ID)).toMatchObject({ storedIn: 'spill', node: 'web2' });
});

test('is not found when the store and all spills were asked', async () => {
  const answers = [{ node: 'web1-5f3a9c0e', message: null }];
  await expect(showMessage(deps(null, answers), ID)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  const local = { ...deps(null), hasSpills: false };
  await expect(showMessage(local, ID)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(local.asked).toBe(0);
});

test('is found in the store when it was moved there from a spill between the two questions', async () => {
  const all = deps(null, [{ node: 'web1-5f3a9c0e', message: null }]);
  const answers = [null, FACTS];
  all.store.inspect = async () => answers.shift() ?? null;
  expect(await showMessage(all, ID)).toMatchObject({ id: ID, storedIn: 'store' });
});

test('is not called unknown while somebody who may have it is silent, or the store is away', async () => {
  await expect(showMessage(deps(null, [], ['web2/w']), ID)).rejects.toMatchObject({
    code: 'NODES_SILENT',
    message: expect.stringContaining('no answer from: web2/w'),
  });
  const away = new SpushError('STORE_UNAVAILABLE', 'MySQL is away');
  await expect(showMessage(deps(away, [], ['web2/w']), ID)).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    message: expect.stringMatching(/cannot be known now: MySQL is away; no answer from: web2\/w/),
  });
});
