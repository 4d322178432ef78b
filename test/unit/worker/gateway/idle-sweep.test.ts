import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { msLater } from '../../../../src/shared/base/clock.js';
import { IdleSweep } from '../../../../src/worker/gateway/idle-sweep.js';
import { SessionRegistry } from '../../../../src/worker/sessions/session-registry.js';
import { createWorkerStats } from '../../../../src/worker/worker-stats.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { fakeSession } from '../../../support/fake-connection.js';

const SILENCE = { IdleSeconds: 180, IdleGraceSeconds: 60 };

let clock: FakeClock;
let sessions: SessionRegistry;
let sweep: IdleSweep;
const stats = createWorkerStats();

beforeEach(() => {
  clock = new FakeClock();
  sessions = new SessionRegistry();
  sweep = new IdleSweep({
    sessions,
    system: () => ({ ...SILENCE, IdleCheckSeconds: 15, ProbeSeconds: 60, ProbeAnswerSeconds: 30 }),
    retryAfter: () => 33,
    stats,
    clock,
  });
});

function connect() {
  const session = fakeSession(clock);
  sessions.add(session);
  return session;
}

describe('the idle sweep', () => {
  test('leaves a connection alone for 180 s and the grace of 60 s', () => {
    const session = connect();
    clock.advance(239_999);
    sweep.sweep();
    expect(session.connection.ended).toBeNull();
  });

  test('closes a silent one with 4001 and tells it when to come back', () => {
    const session = connect();
    clock.advance(240_000);
    sweep.sweep();
    expect(session.connection.ended).toMatchObject({ code: 4001, retryAfter: 33 });
  });

  test('counts traffic of the last moment, whoever made it', () => {
    const session = connect();
    clock.advance(239_000);
    session.data.lastTrafficAt = clock.moment();
    clock.advance(239_000);
    sweep.sweep();
    expect(session.connection.ended).toBeNull();
  });

  test.each([
    -3_600_000, 300_000,
  ])('closes no earlier and no later when the clock is set by %d ms', (step) => {
    const session = connect();
    clock.advance(239_000);
    clock.step(step);
    sweep.sweep();
    expect(session.connection.ended).toBeNull();
    clock.advance(1000);
    sweep.sweep();
    expect(session.connection.ended?.code).toBe(4001);
  });
});

describe('a process that was held up', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    sweep.start();
  });
  afterEach(() => {
    sweep.stop();
    vi.useRealTimers();
  });

  /** Time passes, and the timers of it run: all of them at its end when the process was suspended for the rest. */
  function pass(ms: number, suspendedMs = 0): void {
    clock.advance(ms + suspendedMs);
    vi.advanceTimersByTime(ms);
  }

  test('reads first what clients said meanwhile', () => {
    const [asleep, awake] = [connect(), connect()];
    for (let looks = 0; looks < 10; looks += 1) pass(15_000);
    pass(15_000, 90_000);
    expect([asleep.connection.ended, awake.connection.ended]).toEqual([null, null]);
    awake.data.lastTrafficAt = msLater(clock.moment(), 1);
    pass(1000);
    expect([asleep.connection.ended?.code, awake.connection.ended]).toEqual([4001, null]);
  });

  test('judges all the same when it is late each time', () => {
    const session = connect();
    for (let looks = 0; looks < 4; looks += 1) pass(looks === 0 ? 15_000 : 1000, 240_000);
    expect(session.connection.ended?.code).toBe(4001);
  });
});
