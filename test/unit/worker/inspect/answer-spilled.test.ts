import { expect, test, vi } from 'vitest';
import { SpushError } from '../../../../src/shared/base/errors.js';
import type { UserBacklog } from '../../../../src/shared/domain/message.js';
import type { MessageId } from '../../../../src/shared/domain/message-id.js';
import { answerSpilled } from '../../../../src/worker/inspect/answer-spilled.js';

const ID = '1574620951744348160' as MessageId;
const NONE = { count: 0, sent: 0, held: 0, oldestAt: null };
const BACKLOG: UserBacklog = {
  known: false,
  kinds: { comment: NONE, userNotice: NONE, systemNotice: NONE },
  capped: false,
};

test('where there is no spill there is nothing in it', async () => {
  const answers = answerSpilled({ spilled: null }, 'web1-5f3a9c0e');
  expect(await answers.ofUser(7)).toEqual({});
  expect(await answers.ofMessage({ id: ID })).toEqual({ node: 'web1-5f3a9c0e', message: null });
});

test('tells what the file says, and that it says nothing', async () => {
  const file = (backlog: () => Promise<UserBacklog>) =>
    answerSpilled({ spilled: { backlog, inspect: async () => null } }, 'n').ofUser(7);
  expect(await file(async () => BACKLOG)).toEqual({ spilled: { node: 'n', backlog: BACKLOG } });
  const fault = new SpushError('STORE_UNAVAILABLE', 'gone');
  expect(await file(() => Promise.reject(fault))).toEqual({ spilled: { node: 'n', backlog: null } });
  vi.useFakeTimers();
  try {
    const locked = file(() => new Promise(() => {}));
    await vi.advanceTimersByTimeAsync(500);
    expect(await locked).toEqual({ spilled: { node: 'n', backlog: null } });
  } finally {
    vi.useRealTimers();
  }
});

test('a message that cannot be looked up is an error: its asker names this process as silent', async () => {
  const inspect = () => Promise.reject(new SpushError('STORE_UNAVAILABLE', 'gone'));
  const answers = answerSpilled({ spilled: { inspect, backlog: async () => BACKLOG } }, 'n');
  await expect(answers.ofMessage({ id: ID })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
});
