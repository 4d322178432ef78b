import type { Socket } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { SentHandle } from '../../../../src/platform/rpc/peer.js';
import { DoorLink, type DoorLinkDeps } from '../../../../src/worker/gateway/door-link.js';
import { type Deferred, deferred } from '../../../support/deferred.js';

let notes: { name: string; args: unknown; flushed: ((error: Error | null) => void) | undefined }[];
let hands: { n: number; handle: SentHandle }[];
let asked: { ns: readonly number[]; answer: Deferred<{ taken: readonly number[] }> }[];
let sockets: Socket[];
let open: number;
let link: DoorLink;

beforeEach(() => {
  [notes, hands, asked, sockets, open] = [[], [], [], [], 0];
  const peer = {
    note: (name: string, args: unknown, flushed?: (error: Error | null) => void) =>
      void notes.push({ name, args, flushed }),
    hand: (_name: string, { n }: { n: number }, handle: SentHandle) => void hands.push({ n, handle }),
    call: (_name: string, { ns }: { ns: readonly number[] }) => {
      const answer = deferred<{ taken: readonly number[] }>();
      asked.push({ ns, answer });
      return answer.promise;
    },
  };
  link = new DoorLink({
    peer: peer as unknown as DoorLinkDeps['peer'],
    open: () => open,
    onSocket: (socket) => void sockets.push(socket),
  });
});
afterEach(() => {
  link.stop();
  vi.useRealTimers();
});

/** What `new Socket({handle})` touches of a TCP handle. */
function tcpHandle() {
  return {
    closed: 0,
    reading: false,
    close() {
      this.closed += 1;
    },
    readStart: () => 0,
    readStop: () => 0,
    setNoDelay: () => 0,
    getAsyncId: () => 1,
  };
}

function socketWith(handle: SentHandle): Socket {
  return { _handle: handle } as unknown as Socket;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

test('a connection is touched only when the master was told that it is taken', () => {
  const handle = tcpHandle();
  open = 4;
  link.onConn({ n: 7, kept: false }, handle);
  expect([notes[0]?.name, notes[0]?.args, sockets.length]).toEqual(['conn.taken', { n: 7, open: 5 }, 0]);
  notes[0]?.flushed?.(null);
  expect(sockets).toHaveLength(1);
});

test('a connection whose taking could not be told is left alone', () => {
  const handle = tcpHandle();
  link.onConn({ n: 1, kept: true }, handle);
  notes[0]?.flushed?.(new Error('the channel is closed'));
  expect([sockets.length, handle.closed]).toEqual([0, 1]);
});

test('what is handed back is asked for together, and each hears whether it arrived', async () => {
  const backs = [tcpHandle(), tcpHandle(), tcpHandle()].map((handle) =>
    link.giveBack(socketWith(handle), true),
  );
  expect(hands.map(({ n }) => n)).toEqual([1, 2, 3]);
  await turn();
  expect(asked.map(({ ns }) => ns)).toEqual([[1, 2, 3]]);
  asked[0]?.answer.resolve({ taken: [1, 3] });
  expect(await Promise.all(backs)).toEqual([true, false, true]);
});

test('without an answer of the master nobody serves the connection here: the master may have it', async () => {
  const back = link.giveBack(socketWith(tcpHandle()), true);
  await turn();
  asked[0]?.answer.reject(new Error('no answer'));
  expect(await back).toBe(true);
});

test('a socket that is closed already is not handed back', async () => {
  expect(await link.giveBack({ _handle: null } as unknown as Socket, true)).toBe(false);
  expect(hands).toEqual([]);
});

test('the master hears how many are open when that has changed', () => {
  vi.useFakeTimers();
  link.start();
  vi.advanceTimersByTime(1000);
  expect(notes).toEqual([]);
  open = 3;
  vi.advanceTimersByTime(2000);
  expect(notes.map(({ args }) => args)).toEqual([{ open: 3 }]);
});
