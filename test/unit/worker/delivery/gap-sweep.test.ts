import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Gap } from '../../../../src/worker/delivery/gap.js';
import { GapSweep } from '../../../../src/worker/delivery/gap-sweep.js';
import { isLoggedIn, type LoggedInSession } from '../../../../src/worker/sessions/live-session.js';
import { SessionRegistry } from '../../../../src/worker/sessions/session-registry.js';
import { fakeSession } from '../../../support/fake-connection.js';
import { loginOf } from '../../../support/messages.js';

let sessions: SessionRegistry;
let began: [Gap, number][];
let sweep: GapSweep;

beforeEach(() => {
  vi.useFakeTimers();
  sessions = new SessionRegistry();
  began = [];
  sweep = new GapSweep({
    sessions,
    replays: { startAfter: (gap, session) => began.push([gap, session.data.login.uid]) },
  });
});
afterEach(() => void vi.useRealTimers());

function login(uid: number): LoggedInSession {
  const session = fakeSession();
  sessions.add(session);
  sessions.login(session, loginOf(uid));
  if (!isLoggedIn(session)) throw new Error('not logged in');
  return session;
}

test('every session reads the store again within a few seconds, and not all of them at once', () => {
  for (let uid = 1; uid <= 300; uid += 1) login(uid);
  sessions.add(fakeSession());
  sweep.start({ since: 5 });
  vi.advanceTimersByTime(100);
  expect(began).toHaveLength(10);
  vi.advanceTimersByTime(2900);
  expect(began.map(([, uid]) => uid).sort((a, b) => a - b)).toEqual(
    Array.from({ length: 300 }, (_, n) => n + 1),
  );
  expect(began.every(([{ since }]) => since === 5)).toBe(true);
  vi.advanceTimersByTime(10_000);
  expect(began).toHaveLength(300);
});

test('what is lost while it runs is read for afterwards, from where the first of it was lost', () => {
  login(1);
  sweep.start({ since: 5 });
  sweep.start({ since: 30 });
  sweep.start({ since: 20 });
  vi.advanceTimersByTime(1000);
  expect(began).toEqual([
    [{ since: 5 }, 1],
    [{ since: 20 }, 1],
  ]);
});

test('a session that goes to another Worker takes along what it has not read for', () => {
  const first = login(1);
  for (let uid = 2; uid <= 60; uid += 1) login(uid);
  expect(sweep.owes(first)).toBeNull();
  sweep.start({ since: 9 });
  expect(sweep.owes(first)).toEqual({ since: 9 });
  sweep.start({ since: 7 });
  expect(sweep.owes(first)).toEqual({ since: 7 });
  vi.advanceTimersByTime(100);
  expect(sweep.owes(first)).toEqual({ since: 7 });
  sweep.stop();
  expect(sweep.owes(first)).toBeNull();
});
