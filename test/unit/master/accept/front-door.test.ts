import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type DoorWorker, FrontDoor } from '../../../../src/master/accept/front-door.js';
import { peerNameOf } from '../../../../src/master/accept/listener.js';
import type { SentHandle } from '../../../../src/platform/rpc/peer.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { until } from '../../../support/http-site.js';
import { recordedLog } from '../../../support/recorded-log.js';

/** As front-door.ts has them. */
const GIVEN_MAX = 16;
const SLOW_MS = 1000;
const WAIT_MS = 10_000;
const ASK_AFTER_MS = 3000;

/** Notes what it is given; says nothing by itself. */
class FakeWorker implements DoorWorker {
  readonly name: string;
  readonly given: number[] = [];
  open = 0;
  taken = 0;
  /** Answers a barrier. */
  barriers: (() => void)[] = [];

  constructor(name: string) {
    this.name = name;
  }

  readonly peer: DoorWorker['peer'] = {
    hand: (_name, { n }) => void this.given.push(n),
    call: () => new Promise<void>((resolve) => this.barriers.push(resolve)),
  };

  take(n = this.given.shift()): void {
    if (n === undefined) throw new Error('nothing was given');
    this.open += 1;
    this.taken += 1;
    door.taken(this, { n, open: this.open });
  }

  takeAll(): void {
    while (this.given.length > 0) this.take();
  }
}

let clock: FakeClock;
let door: FrontDoor;
let port: number;
let waitingMax: number;
let shared: string | null;
let clients: Socket[];
let a: FakeWorker;
let b: FakeWorker;

beforeEach(async () => {
  clock = new FakeClock();
  clients = [];
  waitingMax = 100;
  shared = null;
  door = new FrontDoor({
    clock,
    log: recordedLog(),
    waitingMax: () => waitingMax,
    isShared: (address) => address === shared,
  });
  port = Number((await door.listen({ host: '127.0.0.1', port: 0, backlog: 512 })).split(':').at(-1));
  a = new FakeWorker('a');
  b = new FakeWorker('b');
});
afterEach(() => {
  door.close();
  for (const client of clients) client.destroy();
});

async function come(n: number, localAddress = '127.0.0.1'): Promise<void> {
  const before = door.counts.accepted;
  for (let i = 0; i < n; i += 1) {
    const client = connect({ port, host: '127.0.0.1', localAddress });
    client.on('error', () => {});
    clients.push(client);
  }
  await until(() => door.counts.accepted === before + n);
}

/** One of them was. */
async function closedByServer(some: readonly Socket[]): Promise<void> {
  for (const client of some) client.resume();
  await until(() => some.some((client) => client.readableEnded || client.destroyed));
}

/** The sweep runs once a second of real time. */
function oneLook(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1100));
}

test('connections wait for the first Worker, and come in their order', async () => {
  await come(3);
  expect(door.counts.waiting).toBe(3);
  door.attach(a);
  expect([a.given, door.counts.waiting]).toEqual([[1, 2, 3], 0]);
});

test('connections of one address wait for each other, not those of another', async () => {
  door.attach(a);
  await come(GIVEN_MAX + 5);
  await come(1, '127.0.0.2');
  const { localPort } = clients.at(-1) ?? {};
  const { hand } = a.peer;
  const ports: unknown[] = [];
  vi.spyOn(a.peer, 'hand').mockImplementation((name, args, handle, flushed) => {
    ports.push(peerNameOf(handle).port);
    hand(name, args, handle, flushed);
  });
  a.take();
  a.take();
  expect(ports[1]).toBe(localPort);
});

test('those who come through a proxy are many: they wait in several lines', async () => {
  shared = '127.0.0.1';
  waitingMax = 300;
  await come(200);
  await come(101, '127.0.0.2');
  await closedByServer(clients.slice(200));
  expect(door.counts.refused.full).toBe(1);
});

test('the Worker that holds the fewest gets the next', async () => {
  door.attach(a);
  door.attach(b);
  await come(4);
  expect([a.given.length, b.given.length]).toEqual([2, 2]);
  a.takeAll();
  b.takeAll();
  door.holds(a, { open: 7 });
  await come(5);
  expect([a.given.length, b.given.length]).toEqual([0, 5]);
});

test('of those that hold as many each gets one in turn: short calls are told of only now and then', async () => {
  for (const worker of [a, b]) door.attach(worker);
  for (let n = 0; n < 6; n += 1) {
    await come(1);
    for (const worker of [a, b]) {
      worker.open = -1;
      worker.takeAll();
    }
  }
  expect([a.taken, b.taken]).toEqual([3, 3]);
});

test('a Worker that does not take its connections gets a few, and the others wait for it no longer than for each other', async () => {
  door.attach(a);
  await come(GIVEN_MAX + 2);
  expect([a.given.length, door.counts.waiting]).toEqual([GIVEN_MAX, 2]);
  door.attach(b);
  expect([b.given.length, door.counts.waiting]).toEqual([2, 0]);
  b.takeAll();
  a.take();
  clock.advance(SLOW_MS + 1);
  door.holds(b, { open: 1000 });
  await come(3);
  expect(b.given.length).toBe(3);
});

test('what a Worker had not taken when it ended goes to the others; what it had taken does not', async () => {
  door.attach(a);
  await come(3);
  a.take();
  door.attach(b);
  door.ended(a);
  expect(b.given).toHaveLength(2);
  // A late word of the dead one changes nothing.
  a.take();
  b.takeAll();
  expect(door.counts.waiting).toBe(0);
});

test('a connection whose descriptor did not reach its Worker goes to another one', async () => {
  door.attach(a);
  await come(2);
  const [lost] = a.given.splice(0, 1);
  a.take();
  clock.advance(ASK_AFTER_MS + 1);
  await oneLook();
  expect(a.barriers).toHaveLength(1);
  door.detach(a);
  door.attach(b);
  a.barriers[0]?.();
  await until(() => b.given.length === 1);
  expect(lost).toBe(1);
});

test('one that arrived and was taken meanwhile stays', async () => {
  door.attach(a);
  door.attach(b);
  await come(1);
  clock.advance(ASK_AFTER_MS + 1);
  await oneLook();
  const [slow] = [a, b].filter(({ given }) => given.length === 1);
  const [other] = [a, b].filter((worker) => worker !== slow);
  slow?.take();
  slow?.barriers[0]?.();
  await oneLook();
  expect(other?.given).toEqual([]);
});

test('a Worker that leaves gets no more, and gets them again when it stays', async () => {
  door.attach(a);
  door.detach(a);
  await come(1);
  expect([a.given.length, door.counts.waiting]).toEqual([0, 1]);
  door.attach(a);
  expect([a.given.length, door.counts.waiting]).toEqual([1, 0]);
});

describe('a connection that cannot be given to anybody', () => {
  test('is closed at once when too many wait already', async () => {
    waitingMax = 2;
    await come(3);
    expect(door.counts).toEqual({
      accepted: 3,
      waiting: 2,
      refused: { full: 1, late: 0, kernel: 0, stopping: 0 },
    });
    await closedByServer(clients);
  });

  test('is the newest of whoever has the most waiting, whoever comes last', async () => {
    waitingMax = 3;
    await come(3);
    const newest = clients.slice(2);
    await come(1, '127.0.0.2');
    await closedByServer(newest);
    door.attach(a);
    expect([a.given, door.counts.refused.full]).toEqual([[1, 2, 3], 1]);
  });

  test('is closed when it has waited too long', async () => {
    await come(1);
    clock.advance(WAIT_MS - 1);
    await oneLook();
    expect(door.counts.refused.late).toBe(0);
    clock.advance(1);
    await oneLook();
    expect([door.counts.refused.late, door.counts.waiting]).toEqual([1, 0]);
    await closedByServer(clients);
  });

  test('is closed when the server stops, and none is accepted afterwards', async () => {
    await come(2);
    door.close();
    expect([door.counts.refused.stopping, door.counts.waiting]).toEqual([2, 0]);
    const refused = await new Promise((resolve) => connect(port, '127.0.0.1').on('error', resolve));
    expect(String(refused)).toContain('ECONNREFUSED');
  });
});

test('a connection that is handed back goes to another Worker, and its sender hears of it', () => {
  door.attach(a);
  door.attach(b);
  door.detach(a);
  door.back(a, { n: 5, kept: true }, handle());
  expect(b.given).toHaveLength(1);
  expect(door.backs(a, { ns: [4, 5] })).toEqual({ taken: [5] });
  expect(door.backs(a, { ns: [5] })).toEqual({ taken: [] });
});

test('a Worker that hands one back is leaving, and gets no more: it would hand those back too', async () => {
  door.attach(a);
  door.attach(b);
  door.holds(b, { open: 500 });
  door.back(a, { n: 1, kept: false }, handle());
  await come(3);
  expect([a.given.length, b.given.length]).toEqual([0, 4]);
  door.attach(a);
  await come(1);
  expect(a.given).toHaveLength(1);
});

test('a connection that is handed back when the server stops stays with its Worker', () => {
  const closed = vi.fn();
  door.attach(a);
  door.close();
  door.back(a, { n: 1, kept: true }, { close: closed });
  expect([door.backs(a, { ns: [1] }), closed.mock.calls.length]).toEqual([{ taken: [] }, 1]);
});

test('a Worker that hangs is given no more than a few connections for its check either', async () => {
  door.attach(a);
  for (let n = 0; n < GIVEN_MAX + 4; n += 1) {
    const client = connect(port, '127.0.0.1');
    client.on('error', () => {});
    clients.push(client);
    let release = (): void => {};
    process.nextTick(() =>
      process.nextTick(() => {
        release = door.reserve(client.localPort ?? 0, a);
      }),
    );
    await until(() => door.counts.accepted === n + 1);
    release();
  }
  expect([a.given.length, door.counts.waiting]).toEqual([GIVEN_MAX, 0]);
});

test('a connection from a reserved port goes to the Worker that is checked', async () => {
  door.attach(a);
  door.attach(b);
  door.holds(b, { open: 500 });
  const client = connect(port, '127.0.0.1');
  clients.push(client);
  let release = (): void => {};
  process.nextTick(() =>
    process.nextTick(() => {
      release = door.reserve(client.localPort ?? 0, b);
    }),
  );
  await until(() => a.given.length + b.given.length === 1);
  expect([a.given.length, b.given.length]).toEqual([0, 1]);
  release();
});

function handle(): SentHandle {
  return { close() {} };
}
