import type { Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DoorCheck } from '../../../../src/master/accept/door-check.js';
import { type DoorWorker, FrontDoor } from '../../../../src/master/accept/front-door.js';
import type { AcceptedHandle } from '../../../../src/master/accept/listener.js';
import { Troubles } from '../../../../src/platform/health/troubles.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { socketOf } from '../../../support/http-site.js';
import { recordedLog } from '../../../support/recorded-log.js';

/** As door-check.ts has it. */
const CLOSED_MS = 10_000;

/** Takes what it is given, and answers as it is told. */
class FakeWorker implements DoorWorker {
  readonly name: string;
  readonly asked: string[] = [];
  answer: string | null = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';
  readonly #sockets: Socket[] = [];

  constructor(name: string) {
    this.name = name;
  }

  readonly peer: DoorWorker['peer'] = {
    // In one process both sides have the same handle: it is never said to be taken, or the door would close it.
    hand: (_name, _given, handle) => {
      const socket = socketOf(handle as AcceptedHandle);
      this.#sockets.push(socket);
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        this.asked.push(chunk.toString());
        if (this.answer !== null) socket.end(this.answer);
      });
    },
    call: async () => ({}),
  };

  dispose(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

let clock: FakeClock;
let door: FrontDoor;
let check: DoorCheck;
let workers: FakeWorker[];
let troubles: Troubles;
const log = recordedLog();

beforeEach(async () => {
  clock = new FakeClock();
  log.lines.splice(0);
  troubles = new Troubles(clock);
  door = new FrontDoor({ clock, log, waitingMax: () => 10, isShared: () => false });
  const address = await door.listen({ host: '127.0.0.1', port: 0, backlog: 64 });
  workers = [new FakeWorker('a'), new FakeWorker('b'), new FakeWorker('c')];
  for (const worker of workers) door.attach(worker);
  check = new DoorCheck({
    door,
    workers: () => workers,
    address: () => address,
    tls: () => false,
    troubles,
    clock,
    log,
  });
});
afterEach(() => {
  check.stop();
  door.close();
  for (const worker of workers) worker.dispose();
});

test('every Worker is asked over a connection of its own, whichever holds the fewest', async () => {
  for (let n = 0; n < 5; n += 1) await check.check();
  expect(workers.map(({ asked }) => asked.length)).toEqual([5, 5, 5]);
  expect(workers[0]?.asked[0]).toMatch(/^GET \/healthz HTTP\/1\.1\r\n/);
  expect([check.open, check.closed]).toEqual([3, []]);
});

test.each([
  ['does not answer', null, 'no answer within 3000 ms'],
  [
    'answers something else',
    'HTTP/1.1 503 Service Unavailable\r\n\r\n',
    'answered HTTP/1.1 503 Service Unavailable',
  ],
  ['closes', '', 'closed without an answer'],
])('a Worker that %s for some time is closed; until then it counts as open', async (_what, answer, fault) => {
  await check.check();
  const [bad] = workers;
  if (bad) bad.answer = answer;
  await check.check();
  expect([check.open, check.closed]).toEqual([3, []]);
  clock.advance(CLOSED_MS + 1);
  expect([check.open, check.closed]).toEqual([2, [`a answers no connection: ${fault}`]]);
  await check.check();
  expect(log.lines.filter(({ event }) => event === 'door.closed')).toHaveLength(1);
  expect(troubles.report().now.map(({ name, text }) => [name, text])).toEqual([
    ['frontDoor', `a answers no connection: ${fault}`],
  ]);

  if (bad) bad.answer = 'HTTP/1.1 200 OK\r\n\r\n';
  await check.check();
  expect([check.open, check.closed]).toEqual([3, []]);
  expect(log.lines.filter(({ event }) => event === 'door.open')).toHaveLength(1);
  expect(troubles.has('frontDoor')).toBe(false);
});

test('a Worker that ended meanwhile is forgotten, without a word', async () => {
  const [bad] = workers;
  if (bad) bad.answer = '';
  const checking = check.check();
  workers = workers.slice(1);
  await checking;
  await check.check();
  expect([check.open, check.closed, log.lines]).toEqual([2, [], []]);
});

test('a check that is due while the last one waits asks nobody twice', async () => {
  for (const worker of workers) worker.answer = null;
  const first = check.check();
  await check.check();
  await first;
  expect(workers.map(({ asked }) => asked.length)).toEqual([1, 1, 1]);
});
