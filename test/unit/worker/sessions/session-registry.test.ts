import { beforeEach, describe, expect, test } from 'vitest';
import { SessionRegistry } from '../../../../src/worker/sessions/session-registry.js';
import { fakeSession } from '../../../support/fake-connection.js';
import { loginOf } from '../../../support/messages.js';

let sessions: SessionRegistry;

beforeEach(() => {
  sessions = new SessionRegistry();
});

function connect(uid: number | null): ReturnType<typeof fakeSession> {
  const session = fakeSession();
  sessions.add(session);
  if (uid !== null) sessions.login(session, loginOf(uid));
  return session;
}

describe('the session registry', () => {
  test('knows connections and who of them is logged in', () => {
    connect(1);
    connect(1);
    connect(null);
    expect([sessions.size, sessions.loggedIn]).toEqual([3, 2]);
    expect(sessions.ofUser(1).size).toBe(2);
    expect(sessions.ofUser(2).size).toBe(0);
  });

  test('says which login has ended, once', () => {
    const [a, b] = [connect(1), connect(1)];
    expect(sessions.logout(a)?.uid).toBe(1);
    expect(sessions.logout(a)).toBeNull();
    sessions.remove(b);
    expect(sessions.ofUser(1).size).toBe(0);
    expect([sessions.size, sessions.loggedIn]).toEqual([1, 0]);
  });

  test('refuses a second login over the first', () => {
    const a = connect(1);
    expect(() => sessions.login(a, loginOf(2))).toThrow('logs out before');
  });

  test('pages over users, rising, each once, also when two page at the same time', () => {
    for (const uid of [5, 3, 9, 1, 7, 3]) connect(uid);
    const pages = (): number[] => {
      const all: number[] = [];
      let after: number | null = 0;
      while (after !== null) {
        const page = sessions.uids(after, 2);
        all.push(...page.uids);
        after = page.next;
      }
      return all;
    };
    expect(pages()).toEqual([1, 3, 5, 7, 9]);
    const first = sessions.uids(0, 2);
    expect(pages()).toEqual([1, 3, 5, 7, 9]);
    expect(sessions.uids(first.next ?? 0, 10).uids).toEqual([5, 7, 9]);
    expect(new SessionRegistry().uids(0, 10)).toEqual({ uids: [], next: null });
  });
});
