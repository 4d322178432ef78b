import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../../../src/platform/clock/system-clock.js';
import type { SentHandle } from '../../../../src/platform/rpc/peer.js';
import { type Clock, momentOf, msLater } from '../../../../src/shared/base/clock.js';
import { SpushError } from '../../../../src/shared/base/errors.js';
import { firstIdOf } from '../../../../src/shared/domain/message-id.js';
import type { TravellingSession } from '../../../../src/shared/protocol/handoff.js';
import { type Gap, recentGap } from '../../../../src/worker/delivery/gap.js';
import type { Attached, Gateway } from '../../../../src/worker/gateway/gateway.js';
import type { RateBucketState } from '../../../../src/worker/gateway/rate-bucket.js';
import { Departures } from '../../../../src/worker/handoff/departures.js';
import type { Arrived, Reception } from '../../../../src/worker/handoff/reception.js';
import { TransitBox } from '../../../../src/worker/handoff/transit-box.js';
import { unpackSession } from '../../../../src/worker/handoff/travelling.js';
import type { LiveSession } from '../../../../src/worker/sessions/live-session.js';
import type { LoginDesk } from '../../../../src/worker/sessions/login-desk.js';
import { SessionRegistry } from '../../../../src/worker/sessions/session-registry.js';
import { UserFollows } from '../../../../src/worker/sessions/user-follows.js';
import { VisitorPlaces } from '../../../../src/worker/sessions/visitor-places.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { type FakeConnection, fakeSession } from '../../../support/fake-connection.js';
import { itemFor, loginOf } from '../../../support/messages.js';
import { recordedLog } from '../../../support/recorded-log.js';

/** What the surgery would do to a real socket is only noted. */
interface FakeSocket {
  travels: boolean;
  drained: boolean;
  reading: boolean;
  out: boolean;
  copyOpen: boolean;
}

vi.mock('../../../../src/worker/handoff/socket-surgery.js', () => ({
  canTravel: (socket: FakeSocket) => socket.travels,
  outputDrained: (socket: FakeSocket) => socket.drained,
  stopReading: (_ws: unknown, socket: FakeSocket) => {
    socket.reading = false;
  },
  startReading: (_ws: unknown, socket: FakeSocket) => {
    socket.reading = true;
  },
  takeOut: (_ws: unknown, socket: FakeSocket) => {
    if (socket.out) throw new Error('taken out twice');
    socket.out = true;
    socket.reading = false;
    return { head: Buffer.from('half'), handle: { close() {} } };
  },
  closeCopy: (socket: FakeSocket) => {
    socket.copyOpen = false;
  },
}));

// Its timers are not among those that vitest fakes.
vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number) => new Promise((resolve) => globalThis.setTimeout(resolve, ms)),
}));

/** How long this process was suspended: timers have not run meanwhile. */
let suspendedMs = 0;

interface Connected {
  readonly session: LiveSession & { connection: FakeConnection };
  readonly socket: FakeSocket;
  readonly loop: { running: number; state: { rate: RateBucketState; refused: number }; readOn(): void };
}

let sessions: SessionRegistry;
let transit: TransitBox;
let follows: UserFollows;
let followed: Set<number>;
let places: { inUse: number };
let links: { inUse: number };
let visitors: VisitorPlaces;
let attached: Map<LiveSession, Attached>;
let log: ReturnType<typeof recordedLog>;
let departures: Departures;
/** What the master hears. */
let said: string[];
let handed: { travelling: TravellingSession; flushed: (error: Error | null) => void }[];
let expectFault: Error | null;
let probeFault: Error | null;
let probeComplete: boolean;
/** While set, an announcement is not answered. */
let gate: Promise<unknown> | null;
let unknown: string[];
let returnedLinks: string[];
let served: Arrived[];
let owed: ReturnType<typeof itemFor>[];
let gapOwed: Gap | null;
const wall = new FakeClock();
const clock: Clock = {
  now: () => wall.now(),
  moment: () => msLater(systemClock.moment(), suspendedMs),
};

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
  });
  suspendedMs = 0;
  sessions = new SessionRegistry();
  transit = new TransitBox(clock);
  followed = new Set();
  follows = new UserFollows({
    async follow(uid) {
      followed.add(uid);
    },
    unfollow(uid) {
      followed.delete(uid);
    },
  });
  places = { inUse: 0 };
  links = { inUse: 0 };
  visitors = new VisitorPlaces(
    {
      async acquire() {
        places.inUse += 1;
        return true;
      },
      release() {
        places.inUse -= 1;
      },
      arrived() {
        places.inUse += 1;
      },
      departed() {
        places.inUse -= 1;
      },
    },
    { budgetKey: (address) => address, perAddress: () => 1 },
  );
  attached = new Map();
  log = recordedLog();
  said = [];
  handed = [];
  expectFault = null;
  probeFault = null;
  probeComplete = true;
  gate = null;
  unknown = [];
  returnedLinks = [];
  served = [];
  owed = [];
  gapOwed = null;
  departures = makeDepartures();
});
afterEach(() => vi.useRealTimers());

function makeDepartures(): Departures {
  const gateway = {
    attached: (session: LiveSession) => attached.get(session),
    forget(session: LiveSession) {
      (session.connection as FakeConnection).open = false;
      attached.delete(session);
    },
    async closeReplaced(all: readonly LiveSession[]) {
      for (const { connection } of all) connection.end(1012, 'this process is replaced', 1);
    },
  };
  const desk = {
    departed(session: LiveSession) {
      const login = sessions.logout(session);
      if (login) follows.unfollow(login.uid);
      sessions.remove(session);
      visitors.departed(session);
    },
  };
  const reception = {
    prepare(travelling: TravellingSession, socket: unknown) {
      const session = fakeSession();
      Object.assign(session, { data: unpackSession(travelling) });
      (socket as FakeSocket).out = false;
      const loop = { running: 0, state: { rate: travelling.rate, refused: travelling.refused }, readOn() {} };
      const all = { session, connection: session.connection, ws: {}, socket, loop } as unknown as Arrived;
      attached.set(session, all);
      return all;
    },
    serve(all: Arrived, travelling: TravellingSession) {
      sessions.add(all.session);
      if (travelling.login) sessions.login(all.session, travelling.login);
      (all.socket as unknown as FakeSocket).reading = true;
      served.push(all);
    },
  };
  return new Departures({
    peer: {
      // The test is the master.
      call: (async (name: string, args: { sessions?: { id: string }[]; ids?: string[] }) => {
        said.push([name, ...(args.sessions?.map(({ id }) => id) ?? args.ids ?? [])].join(' '));
        if (name === 'handoff.unknown') return { ids: unknown };
        if (gate) await gate;
        if (expectFault) throw expectFault;
        return {};
      }) as never,
      note: ((name: string, args: { ids?: string[] }) => {
        if (name !== 'handoff.remaining') said.push([name, ...(args.ids ?? [])].join(' '));
      }) as never,
      hand: ((
        _name: string,
        travelling: TravellingSession,
        _handle: SentHandle,
        flushed: (error: Error | null) => void,
      ) => {
        handed.push({ travelling, flushed });
      }) as never,
    },
    bus: {
      async probe() {
        if (probeFault) throw probeFault;
        return { complete: probeComplete };
      },
    },
    sessions,
    gateway: gateway as unknown as Gateway,
    desk: desk as unknown as LoginDesk,
    follows,
    transit,
    reception: reception as unknown as Reception,
    delivery: { owedTo: () => owed },
    replays: {
      takeOut: (_session, gap) =>
        gap && { after: null, held: [], missedAbove: null, settledSince: firstIdOf(gap.since) },
    },
    gaps: { owes: () => gapOwed },
    links: {
      departed() {
        links.inUse -= 1;
      },
    },
    visitors,
    budget: { returnLink: (key) => returnedLinks.push(key) },
    budgetKey: (address) => address,
    clock,
    stopAccepting: async () => {},
    log,
  });
}

function connect(uid: number | null = null): Connected {
  const session = fakeSession();
  const socket: FakeSocket = { travels: true, drained: true, reading: true, out: false, copyOpen: true };
  const loop = { running: 0, state: { rate: { tokens: 5, filledAt: momentOf(0) }, refused: 2 }, readOn() {} };
  sessions.add(session);
  links.inUse += 1;
  if (uid !== null) {
    void follows.follow(uid);
    sessions.login(session, loginOf(uid));
  }
  const all = { session, connection: session.connection, ws: {}, socket, loop };
  attached.set(session, all as unknown as Attached);
  return { session, socket, loop };
}

async function turns(n = 20): Promise<void> {
  for (let i = 0; i < n; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** The other Worker takes what was handed to it, until nothing comes any more. */
async function adoptAll(): Promise<void> {
  for (;;) {
    await turns();
    const all = handed.splice(0);
    if (all.length === 0) return;
    for (const { travelling } of all) departures.adopted(travelling.id);
  }
}

function idsOf(...connected: Connected[]): string[] {
  return connected.map(({ session }) => session.data.id);
}

describe('a Worker that leaves', () => {
  test('announces its sessions, hands each over, and keeps its copy of the socket until it is adopted', async () => {
    const [a, b] = [connect(7), connect()];
    const [idA, idB] = idsOf(a, b);
    const left = departures.leave();
    await turns();
    expect(said).toEqual([`handoff.expect ${idA} ${idB}`]);
    // One at first: the other waits for its turn.
    expect(handed.map(({ travelling }) => travelling.id)).toEqual([idA]);
    expect([a.session.connection.open, a.socket.out, a.socket.copyOpen]).toEqual([false, true, true]);
    expect([b.session.connection.open, b.socket.reading]).toEqual([true, true]);
    expect(followed).toEqual(new Set([7]));
    await adoptAll();
    expect([a.socket.copyOpen, b.socket.copyOpen]).toEqual([false, false]);
    expect(await left).toEqual({ closed: {}, left: 0 });
    expect([sessions.size, links.inUse, transit.size, followed.size]).toEqual([0, 0, 0, 0]);
    expect(returnedLinks).toHaveLength(2);
  });

  test('gives along what this process knew of the session', async () => {
    const a = connect(7);
    owed = [itemFor(null, 3)];
    gapOwed = { since: clock.now() - 5000 };
    a.session.data.seen.set('m', momentOf(5));
    void departures.leave();
    await turns();
    expect(handed[0]?.travelling).toMatchObject({
      login: { uid: 7 },
      seen: [['m', 5]],
      rate: { tokens: 5 },
      refused: 2,
      owed: [{ id: itemFor(null, 3).id }],
      replay: { after: null, settledSince: firstIdOf(clock.now() - 5000) },
      head: Buffer.from('half').toString('base64'),
      holdsVisitorPlace: false,
    });
  });

  test('has the store read again by those whose news may have been lost in between', async () => {
    connect(7);
    probeFault = new SpushError('RPC_TIMEOUT', 'silent');
    void departures.leave();
    await turns();
    expect(handed[0]?.travelling.replay).toMatchObject({ settledSince: firstIdOf(recentGap(clock).since) });
  });

  test('does so too where a probe says nothing about what others published', async () => {
    connect(7);
    probeComplete = false;
    void departures.leave();
    await turns();
    expect(handed[0]?.travelling.replay).toMatchObject({ settledSince: firstIdOf(recentGap(clock).since) });
  });

  test('does not hand over who is another user than was announced, before that was announced too', async () => {
    const a = connect();
    const [id] = idsOf(a);
    let answer: (value: unknown) => void = () => {};
    gate = new Promise((resolve) => {
      answer = resolve;
    });
    const left = departures.leave();
    await turns();
    void follows.follow(9);
    sessions.login(a.session, loginOf(9));
    gate = null;
    answer(null);
    await turns();
    expect(said).toEqual([`handoff.expect ${id}`, `handoff.cancel ${id}`, `handoff.expect ${id}`]);
    expect(handed[0]?.travelling.login?.uid).toBe(9);
    await adoptAll();
    expect(await left).toEqual({ closed: {}, left: 0 });
  });

  test('leaves alone who closes after he was announced, and says that he will not come', async () => {
    const a = connect(7);
    const [id] = idsOf(a);
    a.loop.running = 1;
    const left = departures.leave();
    await turns();
    a.session.connection.end(4000, 'kicked', null);
    await vi.advanceTimersByTimeAsync(20);
    await turns();
    expect(said.at(-1)).toBe(`handoff.cancel ${id}`);
    expect(await left).toEqual({ closed: {}, left: 0 });
    expect(handed).toEqual([]);
  });

  test('waits for a command and for output; then the client is not read any longer, then it is closed', async () => {
    const [command, output, quick] = [connect(7), connect(8), connect(9)];
    command.loop.running = 1;
    output.socket.drained = false;
    quick.loop.running = 1;
    const left = departures.leave();
    await vi.advanceTimersByTimeAsync(100);
    quick.loop.running = 0;
    await vi.advanceTimersByTimeAsync(100);
    expect(handed.map(({ travelling }) => travelling.id)).toEqual(idsOf(quick));
    await adoptAll();
    expect(command.socket.reading).toBe(true);
    await vi.advanceTimersByTimeAsync(2000);
    expect([command.socket.reading, command.session.connection.open]).toEqual([false, true]);
    await vi.advanceTimersByTimeAsync(5000);
    expect([command.session.connection.ended?.code, output.session.connection.ended?.code]).toEqual([
      1012, 1012,
    ]);
    // The answer to the close frame is read.
    expect([command.socket.reading, output.socket.reading]).toEqual([true, true]);
    expect(await left).toEqual({ closed: { command: 1, output: 1 }, left: 0 });
  });

  test.each([
    -3_600_000, 3_600_000,
  ])('waits no shorter and no longer when somebody sets the clock by %d ms', async (step) => {
    const busy = connect(7);
    busy.loop.running = 1;
    const left = departures.leave();
    await vi.advanceTimersByTimeAsync(100);
    vi.setSystemTime(Date.now() + step);
    await vi.advanceTimersByTimeAsync(1000);
    expect([busy.session.connection.open, busy.socket.reading]).toEqual([true, true]);
    await vi.advanceTimersByTimeAsync(6100);
    expect(busy.session.connection.ended?.code).toBe(1012);
    expect(await left).toEqual({ closed: { command: 1 }, left: 0 });
  });

  test('closes nobody for the time in which it was suspended itself', async () => {
    const busy = connect(7);
    busy.socket.drained = false;
    const left = departures.leave();
    await vi.advanceTimersByTimeAsync(100);
    suspendedMs = 60_000;
    await vi.advanceTimersByTimeAsync(40);
    // What has come meanwhile is seen to after its timers.
    busy.socket.drained = true;
    await vi.advanceTimersByTimeAsync(40);
    await adoptAll();
    expect(busy.session.connection.ended).toBeNull();
    expect(await left).toEqual({ closed: {}, left: 0 });
  });

  test('fails, and keeps what it has, when nobody expects its sessions', async () => {
    const a = connect(7);
    expectFault = new SpushError('RPC_PEER_GONE', 'Redis is not reached');
    await expect(departures.leave()).rejects.toMatchObject({ message: 'Redis is not reached' });
    expect([a.session.connection.open, a.socket.reading, handed.length]).toEqual([true, true, 0]);
    expectFault = null;
    const left = departures.leave();
    await adoptAll();
    expect(await left).toEqual({ closed: {}, left: 0 });
  });
});

describe('a session that does not get there', () => {
  test('is served here again with everything it had, and goes again', async () => {
    const a = connect(7);
    const [id = ''] = idsOf(a);
    const left = departures.leave();
    await turns();
    handed.splice(0);
    departures.returned([id]);
    const [back] = served;
    expect(back?.session.data).toMatchObject({ id, login: { uid: 7 } });
    expect([...sessions.all()]).toEqual([back?.session]);
    expect([followed.has(7), links.inUse, a.socket.copyOpen, a.socket.reading]).toEqual([
      true,
      1,
      true,
      true,
    ]);
    await turns();
    expect(handed.map(({ travelling }) => travelling.id)).toEqual([id]);
    await adoptAll();
    expect(await left).toEqual({ closed: {}, left: 0 });
    expect([followed.size, links.inUse, transit.size]).toEqual([0, 0, 0]);
  });

  test('keeps its visitor’s place, once', async () => {
    const a = connect();
    expect(await visitors.take(a.session)).toBe(true);
    void departures.leave();
    await turns();
    departures.returned(idsOf(a));
    expect(places.inUse).toBe(1);
    await adoptAll();
    expect(places.inUse).toBe(0);
  });

  test('is closed when nobody takes it three times', async () => {
    const a = connect(7);
    const left = departures.leave();
    for (let n = 0; n < 3; n += 1) {
      await turns();
      handed.splice(0);
      departures.returned(idsOf(a));
    }
    expect(await left).toEqual({ closed: { internals: 1 }, left: 0 });
    expect((served.at(-1)?.session.connection as unknown as FakeConnection).ended?.code).toBe(1012);
  });

  test('comes back when the channel does not take it', async () => {
    connect(7);
    void departures.leave();
    await turns();
    departures.abort();
    handed[0]?.flushed(new Error('closed'));
    expect(served).toHaveLength(1);
  });

  test('is asked for when nothing is heard of it, whatever the clock says', async () => {
    const a = connect(7);
    const [id = ''] = idsOf(a);
    void departures.leave();
    await turns();
    vi.setSystemTime(Date.now() - 3_600_000);
    unknown = [id];
    await vi.advanceTimersByTimeAsync(15_100);
    expect(said).toContain(`handoff.unknown ${id}`);
    expect(served).toHaveLength(1);
  });

  test('word of one that is not on its way changes nothing', async () => {
    const a = connect(7);
    departures.returned([...idsOf(a), 'unheard of']);
    departures.adopted('unheard of');
    expect([sessions.size, a.session.connection.open, served.length]).toEqual([1, true, 0]);
  });
});

describe('a Worker that is told to stop handing over', () => {
  test('keeps who has not left, and waits for who is on his way', async () => {
    const [a, b] = [connect(7), connect(8)];
    const left = departures.leave();
    await turns();
    departures.abort();
    await turns();
    expect(handed.map(({ travelling }) => travelling.id)).toEqual(idsOf(a));
    departures.returned(idsOf(a));
    expect(await left).toEqual({ closed: {}, left: 2 });
    expect([b.session.connection.open, b.socket.reading, followed]).toEqual([true, true, new Set([7, 8])]);
  });

  test('hands over all the same when it is told to leave again before it has stopped', async () => {
    const [a, b] = [connect(7), connect(8)];
    const first = departures.leave();
    await turns();
    departures.abort();
    const second = departures.leave();
    await turns();
    handed.splice(0);
    departures.returned(idsOf(a));
    expect(await first).toEqual({ closed: {}, left: 2 });
    await adoptAll();
    expect(await second).toEqual({ closed: {}, left: 0 });
    expect(b.socket.copyOpen).toBe(false);
  });

  test('does not forget that it was told to stop while an earlier stop was not over', async () => {
    const [a] = [connect(7), connect(8)];
    const first = departures.leave();
    await turns();
    departures.abort();
    const second = departures.leave();
    departures.abort();
    departures.returned(idsOf(a));
    expect(await first).toEqual({ closed: {}, left: 2 });
    expect(await second).toEqual({ closed: {}, left: 2 });
    expect(handed).toHaveLength(1);
  });
});
