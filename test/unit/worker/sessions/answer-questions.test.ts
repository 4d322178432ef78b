import { expect, test } from 'vitest';
import type { MessageId } from '../../../../src/shared/domain/message-id.js';
import { createAnswers } from '../../../../src/worker/sessions/answer-questions.js';
import { SessionRegistry } from '../../../../src/worker/sessions/session-registry.js';
import { FakeClock } from '../../../support/fake-clock.js';
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
  const answers = createAnswers({ sessions, clock: new FakeClock() }, { node: 'n', worker: 'w' }, (kick) => {
    expect(kick).toEqual({ uid: 7, reason: 'closed' });
    openWhenForgotten.push(a.connection.open);
  });
  expect(answers.kick({ uid: 7, reason: 'closed' })).toEqual({ closed: 2 });
  expect(openWhenForgotten).toEqual([true]);
  expect([a, b, other].map(({ connection }) => connection.ended?.code ?? null)).toEqual([4003, 4003, null]);
});

test('of a late kick it is not known which login was before it: all may come back, and show their key again', () => {
  const sessions = new SessionRegistry();
  const session = fakeSession();
  sessions.add(session);
  sessions.login(session, loginOf(7));
  const answers = createAnswers({ sessions, clock: new FakeClock() }, { node: 'n', worker: 'w' }, () => {});
  expect(answers.kick({ uid: 7, reason: 'closed', late: true })).toEqual({ closed: 1 });
  expect(session.connection.ended).toEqual({ code: 1013, reason: 'closed', retryAfter: 1 });
});

test('details of connections are told when they are asked for, as durations', () => {
  const clock = new FakeClock();
  const sessions = new SessionRegistry();
  const session = fakeSession(clock);
  sessions.add(session);
  sessions.login(session, loginOf(7));
  session.connection.unsentBytes = 10;
  session.missed = '1574620951744348160' as MessageId;
  session.data.life.silentSince = clock.moment();
  clock.advance(1500);
  const answers = createAnswers({ sessions, clock }, { node: 'n', worker: 'w' }, () => {});
  expect(answers.online({ uid: 7 }).connections[0]).not.toHaveProperty('details');
  expect(answers.online({ uid: 7, details: true }).connections).toMatchObject([
    {
      session: session.data.id,
      details: { address: '203.0.113.7', heardMsAgo: 1500, silentMs: 1500, unsentBytes: 10, leftOut: true },
    },
  ]);
});
