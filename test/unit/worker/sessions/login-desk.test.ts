import { beforeEach, describe, expect, test } from 'vitest';
import type { LoginKey } from '../../../../src/platform/auth/user-verifier.js';
import { systemSchema } from '../../../../src/platform/config/config-schema.js';
import { SpushError } from '../../../../src/shared/base/errors.js';
import { newReplayState } from '../../../../src/worker/sessions/live-session.js';
import { LoginDesk } from '../../../../src/worker/sessions/login-desk.js';
import { LoginTries } from '../../../../src/worker/sessions/login-tries.js';
import { noteSeen } from '../../../../src/worker/sessions/session.js';
import { SessionRegistry } from '../../../../src/worker/sessions/session-registry.js';
import { UserFollows } from '../../../../src/worker/sessions/user-follows.js';
import { VisitorPlaces } from '../../../../src/worker/sessions/visitor-places.js';
import { CLOCK_STEPS_MS, FakeClock } from '../../../support/fake-clock.js';
import { fakeSession } from '../../../support/fake-connection.js';
import { idOf } from '../../../support/messages.js';

let sessions: SessionRegistry;
let desk: LoginDesk;
let asked: string[];
let followed: Set<number>;
let gate: Promise<void>;
let places: { free: number };
let followFault: Error | null;
const clock = new FakeClock();

beforeEach(() => {
  sessions = new SessionRegistry();
  asked = [];
  followed = new Set();
  gate = Promise.resolve();
  places = { free: 10 };
  followFault = null;
  desk = new LoginDesk({
    sessions,
    clock,
    verifier: {
      async verify(key: LoginKey) {
        asked.push(key.value);
        await gate;
        const uid = Number(key.value.replace('u', ''));
        if (!uid) throw new SpushError('LOGIN_REFUSED', 'nobody');
        return uid;
      },
      forget() {},
    },
    follows: new UserFollows({
      async follow(uid) {
        followed.add(uid);
        if (followFault) throw followFault;
      },
      unfollow(uid) {
        followed.delete(uid);
      },
    }),
    tries: new LoginTries({ clock, max: () => 2, onRefused() {} }),
    budgetKey: (address) => address,
    retryAfter: () => 7,
    visitors: new VisitorPlaces(
      {
        async acquire() {
          if (places.free === 0) return false;
          places.free -= 1;
          return true;
        },
        release() {
          places.free += 1;
        },
        arrived() {},
        departed() {},
      },
      { budgetKey: (address) => address, perAddress: () => 5 },
    ),
    system: () => systemSchema.parse({ LinksPerUser: 3 }),
  });
});

function connect(): ReturnType<typeof fakeSession> {
  const session = fakeSession(clock);
  sessions.add(session);
  return session;
}

function request(value: string, ack = true): Parameters<LoginDesk['login']>[1] {
  return { key: { channel: 'web', value }, ack, device: null };
}

describe('the login desk', () => {
  test('makes a session a user’s, follows the user, and holds live messages until the replay', async () => {
    const session = connect();
    // Long enough that no id made by chance contains it.
    await desk.login(session, request('u000000000007'));
    expect(session.data.login).toMatchObject({ uid: 7, ack: true, channel: 'web' });
    expect(followed).toEqual(new Set([7]));
    expect(session.replay).toEqual(newReplayState());
    expect(JSON.stringify(session.data)).not.toContain('u000000000007');
  });

  test('asks once for the same key again, and takes its new settings', async () => {
    const session = connect();
    expect((await desk.login(session, request('u7'))).fresh).toBe(true);
    expect((await desk.login(session, request('u7', false))).fresh).toBe(false);
    expect(asked).toEqual(['u7']);
    expect(session.data.login?.ack).toBe(false);
  });

  test.each([
    true,
    false,
  ])('remembers nothing of what a visitor or another user was sent; acknowledging: %s', async (ack) => {
    const session = connect();
    noteSeen(session.data.seen, 'notice', clock.moment());
    await desk.login(session, request('u7', ack));
    expect(session.data.seen.size).toBe(0);
    noteSeen(session.data.seen, 'notice', clock.moment());
    session.data.life.unconfirmed.set(idOf(1), { question: 1, at: clock.moment() });
    await desk.login(session, request('u8', ack));
    expect([session.data.seen.size, session.data.life.unconfirmed.size]).toEqual([0, 0]);
    noteSeen(session.data.seen, 'own', clock.moment());
    await desk.login(session, request('u8', ack));
    expect(session.data.seen.size).toBe(1);
    await desk.logout(session);
    expect(session.data.seen.size).toBe(0);
  });

  test('replaces the first login by a second, one after the other', async () => {
    const session = connect();
    await Promise.all([desk.login(session, request('u7')), desk.login(session, request('u8'))]);
    expect(session.data.login?.uid).toBe(8);
    expect(followed).toEqual(new Set([8]));
    expect(sessions.loggedIn).toBe(1);
  });

  test('leaves the first login in place when the second is refused', async () => {
    const session = connect();
    await desk.login(session, request('u7'));
    await expect(desk.login(session, request('nobody'))).rejects.toMatchObject({ code: 'LOGIN_REFUSED' });
    expect(session.data.login?.uid).toBe(7);
  });

  test('forgets a connection that closed while it was asked whose key it is', async () => {
    const session = connect();
    let open = (): void => {};
    gate = new Promise((resolve) => {
      open = resolve;
    });
    const login = desk.login(session, request('u7'));
    session.connection.open = false;
    desk.closed(session);
    open();
    await expect(login).rejects.toThrow('closed');
    expect([sessions.size, sessions.loggedIn]).toEqual([0, 0]);
    expect(followed.size).toBe(0);
  });

  test('closes a user’s oldest connection when there are too many', async () => {
    const all = [connect(), connect(), connect(), connect()];
    for (const session of all) await desk.login(session, request('u7'));
    expect(all.map(({ connection }) => connection.ended?.code ?? null)).toEqual([4004, null, null, null]);
  });

  test('refuses an address after too many refused logins, for a minute', async () => {
    const session = connect();
    for (let n = 0; n < 2; n += 1) await expect(desk.login(session, request('x'))).rejects.toThrow('nobody');
    await expect(desk.login(session, request('u7'))).rejects.toMatchObject({ code: 'TOO_MANY' });
    clock.advance(60_000);
    await expect(desk.login(session, request('u7'))).resolves.toMatchObject({ fresh: true });
  });

  test('a visitor’s place is given back at login and taken at logout', async () => {
    const session = connect();
    await desk.login(session, request('u7'));
    await desk.logout(session);
    expect(session.data.login).toBeNull();
    expect(followed.size).toBe(0);
    expect(places.free).toBe(9);
    await desk.login(session, request('u7'));
    expect(places.free).toBe(10);
    places.free = 0;
    await desk.logout(session);
    expect(session.connection.ended).toMatchObject({ code: 1013, retryAfter: 7 });
  });

  test('a place that comes after the connection has closed is not kept', async () => {
    for (let n = 0; n < 5; n += 1) {
      const session = connect();
      await desk.login(session, request('u7'));
      const logout = desk.logout(session);
      desk.closed(session);
      await logout;
    }
    expect(places.free).toBe(10);
  });

  test('a user’s other session is still followed when one cannot be', async () => {
    const [a, b] = [connect(), connect()];
    await desk.login(a, request('u7'));
    followFault = new SpushError('RPC_TIMEOUT', 'no answer');
    await expect(desk.login(b, request('u7'))).rejects.toThrow('no answer');
    expect(followed).toEqual(new Set([7]));
    expect([a.data.login?.uid, b.data.login]).toEqual([7, null]);
    followFault = null;
    desk.closed(a);
    expect(followed.size).toBe(0);
  });

  /** The main site answers when `open` is called. */
  async function loginUnderWay() {
    const session = connect();
    let open = (): void => {};
    gate = new Promise((resolve) => {
      open = resolve;
    });
    const login = desk.login(session, request('u7'));
    await Promise.resolve();
    return { session, login, open };
  }

  test('a login that is under way while its user is kicked is refused', async () => {
    const { login, open, session } = await loginUnderWay();
    desk.kicked(7);
    open();
    await expect(login).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    gate = Promise.resolve();
    clock.advance(1);
    await expect(desk.login(session, request('u7'))).resolves.toMatchObject({ fresh: true });
  });

  test.each(
    CLOCK_STEPS_MS,
  )('a login after a kick is let in, whenever the clock is set by %d ms', async (step) => {
    const session = connect();
    desk.kicked(7);
    clock.step(step);
    clock.advance(1);
    await expect(desk.login(session, request('u7'))).resolves.toMatchObject({ fresh: true });
  });

  test.each(
    CLOCK_STEPS_MS,
  )('a login under way is refused after a kick, when the clock is set by %d ms meanwhile', async (step) => {
    const { login, open } = await loginUnderWay();
    clock.step(step);
    desk.kicked(7);
    open();
    await expect(login).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  test('a login that is under way while more users are kicked than are remembered is tried again', async () => {
    const { login, open, session } = await loginUnderWay();
    for (let uid = 7; uid <= 10_007; uid += 1) desk.kicked(uid);
    open();
    await expect(login).rejects.toMatchObject({ code: 'GZCP_UNAVAILABLE' });
    gate = Promise.resolve();
    clock.advance(1);
    await expect(desk.login(session, request('u7'))).resolves.toMatchObject({ fresh: true });
  });

  test('a logout that belongs to an older login leaves the newer one alone', async () => {
    const session = connect();
    const { login } = await desk.login(session, request('u7'));
    await desk.login(session, request('u7', false));
    await desk.logout(session, login);
    expect(session.data.login?.uid).toBe(7);
  });
});
