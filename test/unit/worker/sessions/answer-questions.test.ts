import { expect, test } from 'vitest';
import { createAnswers } from '../../../../src/worker/sessions/answer-questions.js';
import { SessionRegistry } from '../../../../src/worker/sessions/session-registry.js';
import { fakeSession } from '../../../support/fake-connection.js';
import { loginOf } from '../../../support/messages.js';

test('a kick forgets the user’s logins, then closes all his connections with 4003, and nobody else’s', () => {
  const sessions = new SessionRegistry();
  const [a, b, other] = [fakeSession(), fakeSession(), fakeSession()];
  for (const [session, uid] of [
    [a, 7],
    [b, 7],
    [other, 8],
  ] as const) {
    sessions.add(session);
    sessions.login(session, loginOf(uid));
  }
  const openWhenForgotten: boolean[] = [];
  const answers = createAnswers(sessions, { node: 'n', worker: 'w' }, (uid) => {
    expect(uid).toBe(7);
    openWhenForgotten.push(a.connection.open);
  });
  expect(answers.kick({ uid: 7, reason: 'closed' })).toEqual({ closed: 2 });
  expect(openWhenForgotten).toEqual([true]);
  expect([a, b, other].map(({ connection }) => connection.ended?.code ?? null)).toEqual([4003, 4003, null]);
});
