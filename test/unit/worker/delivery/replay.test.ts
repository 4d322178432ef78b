import fc from 'fast-check';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { silentLog } from '../../../../src/platform/log/log.js';
import type { PendingQuery } from '../../../../src/platform/store/message-store.js';
import { SpushError } from '../../../../src/shared/base/errors.js';
import type { MessageItem } from '../../../../src/shared/domain/message.js';
import { firstIdOf } from '../../../../src/shared/domain/message-id.js';
import { Delivery } from '../../../../src/worker/delivery/delivery.js';
import type { Gap } from '../../../../src/worker/delivery/gap.js';
import { Replays } from '../../../../src/worker/delivery/replay.js';
import { isLoggedIn, type LoggedInSession } from '../../../../src/worker/sessions/live-session.js';
import { SessionRegistry } from '../../../../src/worker/sessions/session-registry.js';
import { createWorkerStats } from '../../../../src/worker/worker-stats.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { type FakeConnection, fakeSession } from '../../../support/fake-connection.js';
import { idOf, itemFor, loginOf } from '../../../support/messages.js';

const UID = 7;

/** A store whose reads take as many turns as the test wants. */
class SlowStore {
  readonly pendingItems: MessageItem[] = [];
  readonly settledItems: MessageItem[] = [];
  readonly reads: PendingQuery[] = [];
  fault: Error | null = null;
  turnsPerRead = 0;

  async pending(_uid: number, query: PendingQuery): Promise<MessageItem[]> {
    this.reads.push(query);
    for (let i = 0; i < this.turnsPerRead; i += 1) await new Promise((resolve) => setImmediate(resolve));
    if (this.fault) throw this.fault;
    const { after = '', settledSince } = query;
    return [
      ...this.pendingItems,
      ...this.settledItems.filter(({ id }) => settledSince !== undefined && id > settledSince),
    ]
      .filter(({ id }) => id > after)
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .slice(0, query.limit);
  }

  async list(): Promise<{ items: (MessageItem & { read: boolean })[]; next: null }> {
    const newest = this.pendingItems.at(-1);
    return { items: newest ? [{ ...newest, read: false }] : [], next: null };
  }
}

let store: SlowStore;
let delivery: Delivery;
let replays: Replays;
let logged: string[];
let clock: FakeClock;
let sessions: SessionRegistry;
let session: LoggedInSession & { connection: FakeConnection };

beforeEach(() => {
  clock = new FakeClock();
  sessions = new SessionRegistry();
  store = new SlowStore();
  logged = [];
  const log = { ...silentLog, warn: (event: string) => logged.push(event) };
  replays = new Replays({ store, delivery: () => delivery, clock, log });
  delivery = new Delivery({
    sessions,
    marks: { add() {} },
    stats: createWorkerStats(),
    clock,
    catchUp: (one, after) => replays.start(one, after),
    onLost: () => {},
    resendMs: () => 30_000,
  });
  const fake = fakeSession(clock);
  sessions.add(fake);
  sessions.login(fake, loginOf(UID));
  if (!isLoggedIn(fake)) throw new Error('not logged in');
  session = fake as typeof session;
});

async function settled(): Promise<void> {
  await vi.waitFor(() => expect(session.replay).toBeNull());
}

function frames(): number[] {
  return session.connection.sent
    .filter(({ cmd }) => cmd === 'push')
    .map(({ body }) => (body['items'] as unknown[]).length);
}

describe('a replay', () => {
  test('sends 500 messages once, in order of id, in frames of at most 50', async () => {
    store.pendingItems.push(...Array.from({ length: 500 }, (_, n) => itemFor(UID, n)));
    replays.start(session, null);
    await settled();
    expect(session.connection.pushed).toEqual(Array.from({ length: 500 }, (_, n) => idOf(n)));
    expect(frames()).toEqual(Array.from({ length: 10 }, () => 50));
  });

  test('sends nothing when nothing is pending', async () => {
    replays.start(session, null);
    await settled();
    expect(session.connection.sent).toEqual([]);
  });

  test('waits for a reader that is slow, and then says that there was more', async () => {
    store.pendingItems.push(...Array.from({ length: 60 }, (_, n) => itemFor(UID, n)));
    session.connection.slow = true;
    delivery.onEvent({ t: 'push', uid: UID, items: [itemFor(UID, 0)] });
    await new Promise((resolve) => setImmediate(resolve));
    expect(session.connection.pushed).toEqual([]);
    session.connection.drain();
    await settled();
    expect(session.connection.pushed).toEqual(Array.from({ length: 60 }, (_, n) => idOf(n)));
    expect(session.connection.sent.map(({ body }) => body['more'])).toEqual([true, undefined]);
  });

  test('tells a slow reader to fetch when its other devices have settled what it missed', async () => {
    session.connection.slow = true;
    delivery.onEvent({ t: 'push', uid: UID, items: [itemFor(UID, 1)] });
    store.list = async () => ({ items: [{ ...itemFor(UID, 1), read: true }], next: null });
    session.connection.drain();
    await settled();
    expect(session.connection.sent).toMatchObject([
      { cmd: 'push', body: { more: true, items: [{ id: idOf(1) }] } },
    ]);
  });

  test('ends quietly when the connection closes', async () => {
    store.pendingItems.push(...Array.from({ length: 200 }, (_, n) => itemFor(UID, n)));
    store.turnsPerRead = 2;
    replays.start(session, null);
    while (store.reads.length === 0) await Promise.resolve();
    session.connection.open = false;
    for (let n = 0; n < 10; n += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(store.reads).toHaveLength(1);
    expect(session.connection.pushed).toEqual([]);
  });

  test('is tried again when the store fails', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      store.fault = new SpushError('STORE_UNAVAILABLE', 'gone');
      store.pendingItems.push(itemFor(UID, 1));
      replays.start(session, null);
      await settled();
      store.fault = null;
      await vi.advanceTimersByTimeAsync(5000);
      await settled();
      expect(session.connection.pushed).toEqual([idOf(1)]);
    } finally {
      vi.useRealTimers();
    }
  });

  test('tells of many that fail at once in one line a second', async () => {
    store.fault = new SpushError('STORE_UNAVAILABLE', 'gone');
    const fail = async (): Promise<void> => {
      const readers = Array.from({ length: 100 }, (_, n) => {
        const reader = fakeSession(clock);
        sessions.add(reader);
        sessions.login(reader, loginOf(1000 + n));
        if (isLoggedIn(reader)) replays.start(reader, null);
        return reader;
      });
      await vi.waitFor(() => expect(readers.every(({ replay }) => replay === null)).toBe(true));
    };
    await fail();
    expect(logged).toEqual(['delivery.replay-failed']);
    clock.advance(1000);
    await fail();
    expect(logged).toHaveLength(2);
    replays.stop();
  });

  test('of an old login stops when the session logs out, and does not touch the next login’s', async () => {
    store.pendingItems.push(...Array.from({ length: 200 }, (_, n) => itemFor(UID, n)));
    store.turnsPerRead = 2;
    replays.start(session, null);
    await new Promise((resolve) => setImmediate(resolve));
    sessions.logout(session);
    session.replay = null;
    sessions.login(session, loginOf(UID));
    replays.start(session, null);
    await settled();
    expect(session.connection.pushed).toEqual(Array.from({ length: 200 }, (_, n) => idOf(n)));
  });

  test('writes a message that came live while its page was read only once, however long the replay', async () => {
    store.pendingItems.push(...Array.from({ length: 2000 }, (_, n) => itemFor(UID, n)));
    store.turnsPerRead = 1;
    replays.start(session, null);
    for (let n = 1900; n < 2000; n += 1) delivery.onEvent({ t: 'push', uid: UID, items: [itemFor(UID, n)] });
    await settled();
    expect(session.connection.pushed).toEqual(Array.from({ length: 2000 }, (_, n) => idOf(n)));
  });

  test('does not begin anew because many live messages came', async () => {
    store.pendingItems.push(...Array.from({ length: 1000 }, (_, n) => itemFor(UID, n * 100_000_000_000)));
    store.turnsPerRead = 1;
    replays.start(session, null);
    const live = Array.from({ length: 500 }, (_, n) => itemFor(UID, 200_000_000_000_000 + n));
    store.pendingItems.push(...live);
    for (const item of live) delivery.onEvent({ t: 'push', uid: UID, items: [item] });
    await settled();
    expect(session.connection.pushed).toHaveLength(1500);
    expect(new Set(session.connection.pushed).size).toBe(1500);
  });

  test('of what a slow reader missed begins at what it missed', async () => {
    store.pendingItems.push(...Array.from({ length: 60 }, (_, n) => itemFor(UID, n)));
    replays.start(session, null);
    await settled();
    session.data.seen.clear();
    store.pendingItems.push(itemFor(UID, 60), itemFor(UID, 61));
    session.connection.slow = true;
    delivery.onEvent({ t: 'push', uid: UID, items: [itemFor(UID, 60)] });
    delivery.onEvent({ t: 'push', uid: UID, items: [itemFor(UID, 61)] });
    session.connection.drain();
    await settled();
    expect(session.connection.pushed).toEqual(Array.from({ length: 62 }, (_, n) => idOf(n)));
  });

  test('lets nothing fall between it and the live push, whenever a message is stored', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 120 }),
        fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 300 }),
        fc.integer({ min: 0, max: 3 }),
        async (before, gaps, turnsPerRead) => {
          store.pendingItems.length = 0;
          session.connection.sent.length = 0;
          session.data.seen.clear();
          store.turnsPerRead = turnsPerRead;
          for (let n = 0; n < before; n += 1) store.pendingItems.push(itemFor(UID, n));
          replays.start(session, null);
          let n = before;
          for (const gap of gaps) {
            for (let i = 0; i < gap; i += 1) await new Promise((resolve) => setImmediate(resolve));
            store.pendingItems.push(itemFor(UID, n));
            delivery.onEvent({ t: 'push', uid: UID, items: [itemFor(UID, n)] });
            n += 1;
          }
          await settled();
          expect(session.connection.pushed).toEqual(Array.from({ length: n }, (_, i) => idOf(i)));
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('a replay after a gap', () => {
  const settledAt = (ms: number) => {
    const item = { ...itemFor(UID, 0), id: firstIdOf(ms) };
    store.settledItems.push(item);
    return item.id;
  };

  test('brings what other devices settled since it began, and not what this one has', async () => {
    const since = clock.now() - 30_000;
    settledAt(since - 6000);
    const missed = [settledAt(since + 1000), settledAt(since + 3000)];
    const had = settledAt(since + 2000);
    delivery.onEvent({ t: 'push', uid: UID, items: [{ ...itemFor(UID, 0), id: had }] });
    replays.startAfter({ since }, session);
    await settled();
    expect(session.connection.pushed).toEqual([had, ...missed]);
    expect(session.connection.sent.map(({ body }) => body['more'])).toEqual([undefined, undefined]);
  });

  test('does not go back to before the login', async () => {
    sessions.logout(session);
    sessions.login(session, loginOf(UID, { since: clock.now() - 10_000 }));
    settledAt(clock.now() - 11_000);
    const after = settledAt(clock.now() - 9000);
    replays.startAfter({ since: clock.now() - 3_600_000 }, session);
    await settled();
    expect(session.connection.pushed).toEqual([after]);
    expect(session.connection.sent).toMatchObject([{ body: { items: [{}] } }]);
    expect(session.connection.sent[0]?.body['more']).toBeUndefined();
  });

  test('that began longer ago than is remembered tells the client to look himself', async () => {
    settledAt(clock.now() - 300_000);
    const late = settledAt(clock.now() - 60_000);
    replays.startAfter({ since: clock.now() - 600_000 }, session);
    await settled();
    expect(session.connection.pushed).toEqual([late]);
    expect(session.connection.sent[0]?.body['more']).toBe(true);
  });

  test('that began so long ago tells it without anything to bring too, unless nothing is that new', async () => {
    const gap = { since: clock.now() - 600_000 };
    const newest = (ms: number) => {
      const item = { ...itemFor(UID, 0), id: firstIdOf(ms), read: true };
      store.list = async () => ({ items: [item], next: null });
      return item.id;
    };
    newest(gap.since - 10_000);
    replays.startAfter(gap, session);
    await settled();
    expect(session.connection.sent).toEqual([]);
    const id = newest(gap.since + 10_000);
    replays.startAfter(gap, session);
    await settled();
    expect(session.connection.sent).toMatchObject([{ body: { more: true, items: [{ id }] } }]);
  });

  test('that began so long ago tells it also when the store fails first', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const gap = { since: clock.now() - 600_000 };
      store.pendingItems.push(itemFor(UID, 1));
      store.fault = new SpushError('STORE_UNAVAILABLE', 'gone');
      replays.startAfter(gap, session);
      await settled();
      await vi.advanceTimersByTimeAsync(5000);
      await settled();
      store.fault = null;
      expect(replays.takeOut(session, null)).toMatchObject({ missedAbove: firstIdOf(gap.since - 5000) });
      replays.startAfter(gap, session);
      store.fault = new SpushError('STORE_UNAVAILABLE', 'gone');
      await settled();
      store.fault = null;
      await vi.advanceTimersByTimeAsync(5000);
      await settled();
      expect(session.connection.sent).toMatchObject([{ body: { more: true, items: [{ id: idOf(1) }] } }]);
    } finally {
      vi.useRealTimers();
    }
  });

  test('goes back to its beginning when the clock was set back an hour after the login', async () => {
    sessions.logout(session);
    sessions.login(session, loginOf(UID, { since: clock.now() }));
    clock.advance(10_000);
    clock.step(-3_600_000);
    const missed = settledAt(clock.now() + 1000);
    clock.advance(5000);
    replays.startAfter({ since: clock.now() - 5000 }, session);
    await settled();
    expect(session.connection.pushed).toEqual([missed]);
  });

  test('before which the clock was set forward tells the client to look himself', async () => {
    const since = clock.now();
    settledAt(since + 1000);
    clock.advance(5000);
    clock.step(300_000);
    const late = settledAt(clock.now());
    replays.startAfter({ since }, session);
    await settled();
    expect(session.connection.pushed).toEqual([late]);
    expect(session.connection.sent[0]?.body['more']).toBe(true);
  });

  test('that comes while a replay runs makes that one go back once more', async () => {
    store.pendingItems.push(...Array.from({ length: 120 }, (_, n) => itemFor(UID, n)));
    store.turnsPerRead = 2;
    replays.start(session, null);
    while (session.connection.pushed.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const missed = settledAt(clock.now() - 1000);
    replays.startAfter({ since: clock.now() - 2000 }, session);
    await settled();
    expect(session.connection.pushed.sort()).toEqual(
      [...Array.from({ length: 120 }, (_, n) => idOf(n)), missed].sort(),
    );
  });

  test('is not forgotten when the store fails', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      store.fault = new SpushError('STORE_UNAVAILABLE', 'gone');
      const missed = settledAt(clock.now() - 1000);
      replays.startAfter({ since: clock.now() - 2000 }, session);
      await settled();
      store.fault = null;
      await vi.advanceTimersByTimeAsync(5000);
      await settled();
      expect(session.connection.pushed).toEqual([missed]);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('a session that goes to another Worker', () => {
  const travel = (gap: Gap | null = null) => {
    const travelling = replays.takeOut(session, gap);
    const there = fakeSession(clock);
    sessions.remove(session);
    for (const [id, at] of session.data.seen) there.data.seen.set(id, at);
    sessions.add(there);
    sessions.login(there, loginOf(UID));
    if (!isLoggedIn(there)) throw new Error('logged in');
    return { travelling, there };
  };

  test('goes on there where its replay was, with what waited for its end', async () => {
    for (let n = 0; n < 120; n += 1) store.pendingItems.push(itemFor(UID, n));
    store.turnsPerRead = 1;
    replays.start(session, null);
    while (session.connection.pushed.length === 0) await new Promise((resolve) => setImmediate(resolve));
    delivery.onEvent({ t: 'push', uid: UID, items: [itemFor(UID, 500)] });
    const { travelling, there } = travel();
    expect(travelling).toEqual({
      after: idOf(49),
      held: [itemFor(UID, 500)],
      missedAbove: null,
      settledSince: null,
    });
    replays.goOn(there, travelling, null)();
    await vi.waitUntil(() => there.replay === null);
    expect(session.connection.pushed).toHaveLength(50);
    const ids = Array.from({ length: 70 }, (_, n) => idOf(50 + n));
    expect(there.connection.pushed).toEqual([...ids, idOf(500)]);
  });

  test('takes along a replay that waits to be tried again', async () => {
    store.fault = new SpushError('STORE_UNAVAILABLE', 'away');
    replays.start(session, null);
    await vi.waitUntil(() => session.replay === null);
    expect(travel().travelling).toEqual({ after: null, held: [], missedAbove: null, settledSince: null });
    replays.stop();
  });

  test('takes along that it missed something, whatever was under way, and goes back for it there', async () => {
    const gap = { since: clock.now() - 20_000 };
    store.settledItems.push({ ...itemFor(UID, 0), id: firstIdOf(gap.since) });
    const { travelling, there } = travel(gap);
    expect(travelling).toEqual({
      after: null,
      held: [],
      missedAbove: null,
      settledSince: firstIdOf(gap.since - 5000),
    });
    replays.goOn(there, travelling, null)();
    await vi.waitUntil(() => there.replay === null);
    expect(there.connection.pushed).toEqual([firstIdOf(gap.since)]);
  });

  test('goes back there for what was lost on the way', async () => {
    const { there } = travel();
    const gap = { since: clock.now() - 1000 };
    store.settledItems.push({ ...itemFor(UID, 0), id: firstIdOf(gap.since) });
    replays.goOn(there, null, gap)();
    await vi.waitUntil(() => there.replay === null);
    expect(there.connection.pushed).toEqual([firstIdOf(gap.since)]);
  });

  test('takes nothing along when nothing is under way', () => {
    expect(travel().travelling).toBeNull();
  });
});
