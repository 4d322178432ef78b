import { beforeEach, describe, expect, test } from 'vitest';
import type { SentMark } from '../../../../src/platform/store/message-store.js';
import type { BusEvent } from '../../../../src/shared/protocol/bus-events.js';
import { Delivery } from '../../../../src/worker/delivery/delivery.js';
import {
  isLoggedIn,
  type LoggedInSession,
  newReplayState,
} from '../../../../src/worker/sessions/live-session.js';
import { forgetSeen, SEEN_MS } from '../../../../src/worker/sessions/session.js';
import { SessionRegistry } from '../../../../src/worker/sessions/session-registry.js';
import { createWorkerStats } from '../../../../src/worker/worker-stats.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { type FakeConnection, fakeSession } from '../../../support/fake-connection.js';
import { idOf, itemFor, loginOf } from '../../../support/messages.js';

const RESEND_MS = 30_000;

let clock: FakeClock;
let sessions: SessionRegistry;
let marks: SentMark[];
let caughtUp: { session: LoggedInSession; after: string }[];
let lost: number;
let delivery: Delivery;
let stats: ReturnType<typeof createWorkerStats>;

beforeEach(() => {
  clock = new FakeClock();
  sessions = new SessionRegistry();
  marks = [];
  caughtUp = [];
  lost = 0;
  stats = createWorkerStats();
  delivery = new Delivery({
    sessions,
    marks: { add: (mark) => marks.push(mark) },
    stats,
    clock,
    catchUp: (session, after) => caughtUp.push({ session, after }),
    onLost: () => {
      lost += 1;
    },
    resendMs: () => RESEND_MS,
  });
});

function connect(uid: number | null, ack = true): ReturnType<typeof fakeSession> {
  const session = fakeSession(clock);
  sessions.add(session);
  if (uid !== null) sessions.login(session, loginOf(uid, { ack }));
  return session;
}

async function turns(n = 5): Promise<void> {
  for (let i = 0; i < n; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe('a push', () => {
  test('reaches every session of its user and nobody else', () => {
    const [a, b, other, visitor] = [connect(7), connect(7), connect(8), connect(null)];
    delivery.onEvent({ t: 'push', uid: 7, items: [itemFor(7, 1)] });
    expect([a, b, other, visitor].map(({ connection }) => connection.pushed)).toEqual([
      [idOf(1)],
      [idOf(1)],
      [],
      [],
    ]);
    expect(stats.pushes).toBe(2);
  });

  test('is written once to a session, however often it comes', () => {
    const a = connect(7);
    delivery.onEvent({ t: 'push', uid: 7, items: [itemFor(7, 1)] });
    delivery.onEvent({ t: 'push', uid: 7, items: [itemFor(7, 1)] });
    delivery.onEvent({ t: 'push', uid: 7, items: [itemFor(7, 1), itemFor(7, 2)] });
    expect(a.connection.pushed).toEqual([idOf(1), idOf(2)]);
  });

  test('from a sweep is written again only after the resend time', () => {
    const a = connect(7);
    delivery.onEvent({ t: 'push', uid: 7, items: [itemFor(7, 1)] });
    clock.advance(RESEND_MS - 1);
    delivery.onEvent({ t: 'push', uid: 7, items: [itemFor(7, 1)], again: true });
    expect(a.connection.pushed).toEqual([idOf(1)]);
    clock.advance(1);
    delivery.onEvent({ t: 'push', uid: 7, items: [itemFor(7, 1)], again: true });
    expect(a.connection.pushed).toEqual([idOf(1), idOf(1)]);
  });

  test('is marked sent by writing for a client that acknowledges, by arriving for one that never does', () => {
    const [a, b] = [connect(7, false), connect(8, true)];
    delivery.onEvent({ t: 'push', uid: 7, items: [itemFor(7, 1)] });
    delivery.onEvent({ t: 'push', uid: 8, items: [itemFor(8, 2)] });
    expect(marks).toEqual([{ uid: 8, id: idOf(2), settled: false }]);
    expect([a.connection.toConfirm, b.connection.toConfirm]).toEqual([[idOf(1)], []]);
  });

  test('waits while the session replays', () => {
    const a = connect(7);
    const replay = { ...newReplayState(), running: true };
    a.replay = replay;
    delivery.onEvent({ t: 'push', uid: 7, items: [itemFor(7, 1)] });
    expect(a.connection.pushed).toEqual([]);
    expect(replay.held.map(({ id }) => id)).toEqual([idOf(1)]);
  });

  test('waits once, however often it comes meanwhile', () => {
    const a = connect(7);
    // As after a hand-over: it waited with the old Worker, and was kept for the session on its way here.
    const replay = { ...newReplayState(), running: true, held: [itemFor(7, 1)] };
    a.replay = replay;
    delivery.onEventFor(a, { t: 'push', uid: 7, items: [itemFor(7, 1), itemFor(7, 2)] });
    delivery.onEvent({ t: 'push', uid: 7, items: [itemFor(7, 2)], again: true });
    expect(replay.held.map(({ id }) => id)).toEqual([idOf(1), idOf(2)]);
  });

  test('to a slow reader is left out, and the reader catches up once', () => {
    const a = connect(7);
    a.connection.slow = true;
    delivery.onEvent({ t: 'push', uid: 7, items: [itemFor(7, 1)] });
    delivery.onEvent({ t: 'push', uid: 7, items: [itemFor(7, 2)] });
    expect(a.connection.pushed).toEqual([]);
    expect(a.missed).toBe(idOf(1));
    expect(caughtUp).toEqual([{ session: a, after: idOf(0) }]);
    expect(marks).toEqual([]);
    expect(stats.dropped).toBe(2);
  });
});

describe('for a client that never acknowledges', () => {
  test('what a sweep sends again is left out as long as it may have arrived', () => {
    const a = connect(7, false);
    const again: BusEvent = { t: 'push', uid: 7, items: [itemFor(7, 1)], again: true };
    delivery.onEvent({ t: 'push', uid: 7, items: [itemFor(7, 1)] });
    a.data.life.unconfirmed.set(idOf(1), { question: 1, at: clock.moment() });
    clock.advance(RESEND_MS);
    delivery.onEvent(again);
    // The memory of what was sent is shorter than a slow reader may be.
    clock.advance(SEEN_MS);
    forgetSeen(a.data.seen, clock.moment());
    delivery.onEvent(again);
    expect(a.connection.pushed).toEqual([idOf(1)]);
  });

  test('a replay says nothing of what is on its way', () => {
    const a = connect(7, false);
    if (!isLoggedIn(a)) throw new Error('not logged in');
    delivery.onEvent({ t: 'push', uid: 7, items: [itemFor(7, 1)] });
    expect(delivery.replayItems(a, [itemFor(7, 1), itemFor(7, 2)], false)).toBe(1);
    expect([a.connection.pushed, marks]).toEqual([[idOf(1), idOf(2)], []]);
  });
});

describe('a notice', () => {
  test('beyond those that may wait is told to be lost, so that sessions read the store', async () => {
    for (let n = 0; n < 300; n += 1) connect(1000 + n);
    for (let n = 0; n < 1100; n += 1) delivery.onEvent({ t: 'notice', item: itemFor(null, n) });
    expect(lost).toBeGreaterThan(0);
    await turns(3000);
  });

  test('reaches everybody, visitors too, in order', async () => {
    const all = [connect(7), connect(null), connect(8, false)];
    delivery.onEvent({ t: 'notice', item: itemFor(null, 1) });
    delivery.onEvent({ t: 'notice', item: itemFor(null, 2) });
    await turns();
    for (const { connection } of all) expect(connection.pushed).toEqual([idOf(1), idOf(2)]);
  });

  test('goes out in slices that let the loop turn', async () => {
    const all = Array.from({ length: 1000 }, () => connect(null));
    delivery.onEvent({ t: 'notice', item: itemFor(null, 1) });
    expect(all.filter(({ connection }) => connection.pushed.length > 0).length).toBeLessThan(1000);
    await turns(10);
    expect(all.every(({ connection }) => connection.pushed.length === 1)).toBe(true);
  });

  test('is marked sent once for those who acknowledge, and is to be confirmed by each who does not', async () => {
    const all = [connect(3, false), connect(1), connect(2), connect(4, false)];
    delivery.onEvent({ t: 'notice', item: itemFor(null, 1) });
    await turns();
    expect(marks).toEqual([{ uid: 1, id: idOf(1), settled: false }]);
    expect(all.map(({ connection }) => connection.toConfirm.length)).toEqual([1, 0, 0, 1]);
  });

  test('skips a connection that closes while it goes out', async () => {
    const all = Array.from({ length: 600 }, () => connect(null));
    delivery.onEvent({ t: 'notice', item: itemFor(null, 1) });
    const last = all.at(-1);
    if (last) last.connection.open = false;
    await turns();
    expect(last?.connection.pushed).toEqual([]);
  });
});

describe('a read mark', () => {
  test('is told to the user’s other sessions', () => {
    const [a, b, other] = [connect(7), connect(7), connect(8)];
    const event = { t: 'read', uid: 7, session: a.data.id, n: 'mark-1', mark: { ids: [idOf(1)] } } as const;
    delivery.onEvent(event);
    delivery.onEvent(event);
    expect(a.connection.sent).toEqual([]);
    expect(b.connection.sent).toMatchObject([{ cmd: 'read', id: '', code: 200, body: { ids: [idOf(1)] } }]);
    expect(other.connection.sent).toEqual([]);
  });
});

test('a closed connection takes nothing and stops nothing', () => {
  const a = connect(7);
  const b = connect(7);
  (a.connection as FakeConnection).open = false;
  delivery.onEvent({ t: 'push', uid: 7, items: [itemFor(7, 1)] });
  expect(b.connection.pushed).toEqual([idOf(1)]);
});
