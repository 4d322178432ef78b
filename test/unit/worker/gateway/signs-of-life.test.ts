import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { WebSocket } from 'ws';
import type { MessageId } from '../../../../src/shared/domain/message-id.js';
import { IdleSweep } from '../../../../src/worker/gateway/idle-sweep.js';
import { UNCONFIRMED_MAX } from '../../../../src/worker/gateway/signs-of-life.js';
import { WsConnection } from '../../../../src/worker/gateway/ws-connection.js';
import { packSession, unpackSession } from '../../../../src/worker/handoff/travelling.js';
import { createSessionData, forgetSent } from '../../../../src/worker/sessions/session.js';
import { SessionRegistry } from '../../../../src/worker/sessions/session-registry.js';
import { createWorkerStats } from '../../../../src/worker/worker-stats.js';
import { emptyLuggage } from '../../../support/empty-luggage.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { idOf } from '../../../support/messages.js';

const SYSTEM = {
  IdleSeconds: 180,
  IdleGraceSeconds: 60,
  IdleCheckSeconds: 15,
  ProbeSeconds: 60,
  ProbeAnswerSeconds: 30,
};
const PUSH = Buffer.from('\x81\x01p', 'latin1');

let clock: FakeClock;
let sessions: SessionRegistry;
let sweep: IdleSweep;
let stats: ReturnType<typeof createWorkerStats>;

beforeEach(() => {
  clock = new FakeClock();
  sessions = new SessionRegistry();
  stats = createWorkerStats();
  sweep = new IdleSweep({ sessions, system: () => SYSTEM, retryAfter: () => 1, stats, clock });
});

class FakeSocket extends EventEmitter {
  bytesRead = 0;
  bytesWritten = 0;
  writableLength = 0;
  writableNeedDrain = false;
  writable = true;
  destroyed = false;
  readonly written: Buffer[] = [];

  write(frame: Buffer): boolean {
    this.written.push(frame);
    return true;
  }

  /** Numbers of the questions that were asked. */
  get asked(): number[] {
    return this.written
      .filter(([first]) => first === 0x89)
      .map((frame) => Number(frame.subarray(2).toString()));
  }
}

function connect(data = createSessionData('203.0.113.7', clock)) {
  const socket = new FakeSocket();
  const ws = { readyState: 1, OPEN: 1, isPaused: false, close: vi.fn(), terminate: vi.fn() };
  const confirmed: MessageId[] = [];
  const connection = new WsConnection(ws as unknown as WebSocket, socket as unknown as Duplex, data, {
    clock,
    limits: () => ({ softBytes: 1000, hardBytes: 10_000, stallMs: 60_000 }),
    backlog: { isBehind: () => {}, full: false },
    retryAfter: () => 1,
    onSlowClosed: () => {},
    answerMs: () => SYSTEM.ProbeAnswerSeconds * 1000,
    onConfirmed: (ids) => confirmed.push(...ids),
  });
  const session = { data, connection, replay: null, missed: null };
  sessions.add(session);
  const pong = (number: number | string) => {
    socket.bytesRead += 7;
    connection.answered(Buffer.from(String(number)));
  };
  return { session, data, connection, socket, ws, confirmed, pong };
}

/** Time passes, with the looks of the sweep in it. */
function pass(seconds: number, each?: (second: number) => void): void {
  for (let second = 1; second <= seconds; second += 1) {
    clock.advance(1000);
    if (second % SYSTEM.IdleCheckSeconds === 0) sweep.sweep();
    each?.(second);
  }
}

describe('a reader whose cable is pulled', () => {
  test.each([
    true,
    false,
  ])('is found within 100 s, however often it is pushed to; acknowledging: %s', (ack) => {
    const { connection, ws, confirmed } = connect();
    let cutAfter = 0;
    pass(100, (second) => {
      if (cutAfter === 0 && ws.terminate.mock.calls.length > 0) cutAfter = second;
      if (second % 3 === 0) connection.offer(PUSH, ack ? [] : [idOf(second)]);
    });
    expect(cutAfter).toBeGreaterThan(60);
    expect(cutAfter).toBeLessThan(100);
    expect(stats).toMatchObject({ lostCut: 1, idleClosed: 0 });
    expect(confirmed).toEqual([]);
  });

  test('one push is enough', () => {
    const { connection, ws } = connect();
    connection.offer(PUSH);
    pass(100);
    expect(ws.terminate).toHaveBeenCalledOnce();
  });

  test('news that is not stored counts too', () => {
    const { connection, ws } = connect();
    connection.tell(PUSH);
    pass(100);
    expect(ws.terminate).toHaveBeenCalledOnce();
  });
});

describe('a reader who is there', () => {
  test('gets nothing but its pushes and answers when it is quiet, in ten minutes', () => {
    const { connection, socket } = connect();
    connection.put(PUSH);
    pass(600, (second) => {
      if (second % 180 !== 0) return;
      socket.bytesRead += 50;
      connection.heard();
      connection.put(PUSH);
    });
    expect(socket.written).toHaveLength(4);
    expect(connection.open).toBe(true);
  });

  test('is not asked while it acknowledges', () => {
    const { connection, socket } = connect();
    pass(600, (second) => {
      if (second % 10 === 0) connection.offer(PUSH);
      if (second % 20 === 0) connection.heard();
    });
    expect(socket.asked).toEqual([]);
    expect(connection.open).toBe(true);
  });

  test('is asked once a minute at most when it only receives, and stays as long as it answers', () => {
    const { connection, socket, pong } = connect();
    let answered = 0;
    pass(600, (second) => {
      if (second % 3 === 0) connection.offer(PUSH);
      for (; answered < socket.asked.length; answered += 1) pong(answered + 1);
    });
    expect(connection.open).toBe(true);
    expect(socket.asked.length).toBeGreaterThan(5);
    expect(socket.asked.length).toBeLessThanOrEqual(13);
  });

  test('shows it by any byte, a part of a large frame too', () => {
    const { connection, socket, ws } = connect();
    pass(300, (second) => {
      if (second % 3 === 0) connection.offer(PUSH);
      if (second % 40 === 0) socket.bytesRead += 1;
    });
    expect(ws.terminate).not.toHaveBeenCalled();
  });

  test('is not judged while it still takes what was written before the question, nor while nobody reads from it', () => {
    const { connection, socket, ws } = connect();
    const push = (second: number) => {
      if (second % 3 === 0) connection.offer(PUSH);
    };
    ws.isPaused = true;
    pass(200, push);
    ws.isPaused = false;
    socket.writableLength = 100;
    pass(200, (second) => {
      push(second);
      socket.bytesWritten += 10;
    });
    expect(ws.terminate).not.toHaveBeenCalled();
    socket.writableLength = 0;
    pass(45);
    expect(ws.terminate).toHaveBeenCalledOnce();
  });
});

describe('a client that does not acknowledge', () => {
  test('is asked with a push, and has it when it answers', () => {
    const { connection, socket, confirmed, pong } = connect();
    connection.offer(PUSH, [idOf(1), idOf(2)]);
    expect(socket.asked).toEqual([1]);
    expect(confirmed).toEqual([]);
    pong(1);
    expect(confirmed).toEqual([idOf(1), idOf(2)]);
    pass(200);
    expect(socket.asked).toEqual([1]);
  });

  test('one question is under way at a time; it does not speak for what is written after it', () => {
    const { connection, socket, confirmed, pong } = connect();
    for (let n = 1; n <= 3; n += 1) connection.offer(PUSH, [idOf(n)]);
    expect(socket.asked).toEqual([1]);
    pong(1);
    expect([confirmed, socket.asked]).toEqual([[idOf(1)], [1, 2]]);
    connection.offer(PUSH, [idOf(4)]);
    pong(2);
    pong(3);
    expect(confirmed).toEqual([1, 2, 3, 4].map(idOf));
  });

  test('what else it says is only believed of what was written long ago', () => {
    const { connection, confirmed, pong } = connect();
    connection.offer(PUSH, [idOf(1)]);
    clock.advance(20_000);
    connection.offer(PUSH, [idOf(2)]);
    connection.heard();
    expect(confirmed).toEqual([]);
    clock.advance(10_000);
    connection.heard();
    expect(confirmed).toEqual([idOf(1)]);
    for (const wrong of ['', 'x', '0', '-1', '2', '1e999']) pong(wrong);
    expect(confirmed).toEqual([idOf(1)]);
    pong(1);
    pong(2);
    expect(confirmed).toEqual([idOf(1), idOf(2)]);
  });

  test('is asked nothing more when its connection is being closed; an answer still counts', () => {
    const { connection, socket, confirmed, pong } = connect();
    connection.offer(PUSH, [idOf(1)]);
    connection.offer(PUSH, [idOf(2)]);
    connection.end(4001, 'silent', null);
    pong(1);
    expect([confirmed, socket.asked]).toEqual([[idOf(1)], [1]]);
  });

  test('gets no more than can be remembered until some of it has arrived', async () => {
    const { connection, socket, confirmed, pong } = connect();
    for (let n = 0; n < UNCONFIRMED_MAX; n += 1) expect(connection.offer(PUSH, [idOf(n)])).toBe('written');
    expect(connection.offer(PUSH, [idOf(9999)])).toBe('left-out');
    const waiting = vi.fn();
    const room = connection.drained().then(waiting);
    await Promise.resolve();
    expect(waiting).not.toHaveBeenCalled();
    pong(1);
    await room;
    expect(confirmed).toEqual([idOf(0)]);
    expect(connection.offer(PUSH, [idOf(9999)])).toBe('written');
    const closed = connection.drained();
    socket.destroyed = true;
    socket.emit('close');
    await closed;
  });

  test('keeps nobody waiting for a login that is over', async () => {
    const { connection, data, socket } = connect();
    for (let login = 0; login < 20; login += 1) {
      for (let n = 0; n < UNCONFIRMED_MAX; n += 1) connection.offer(PUSH, [idOf(n)]);
      const room = connection.drained();
      await Promise.resolve();
      forgetSent(data);
      connection.heard();
      await room;
    }
    expect(socket.listenerCount('close')).toBe(0);
  });

  test('takes all of it along to another Worker', () => {
    const here = connect();
    here.connection.offer(PUSH, [idOf(1)]);
    clock.advance(1000);
    here.socket.bytesRead += 1;
    here.connection.offer(PUSH, [idOf(2)]);
    clock.advance(1000);
    here.connection.release();
    const there = connect(unpackSession(packSession(here.data, emptyLuggage(clock))));
    there.pong(1);
    expect([there.confirmed, there.socket.asked]).toEqual([[idOf(1)], [2]]);
    there.pong(2);
    expect(there.confirmed).toEqual([idOf(1), idOf(2)]);
  });
});
