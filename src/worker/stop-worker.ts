/**
 * The end of a Worker, in order: take nothing new, tell the clients, finish what was begun, write what is known, close.
 * Every step is tried even when one before it failed. When another process takes this one's place, its connections go a
 * few at a time, and are served until they do.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus } from '../platform/bus/bus.js';
import type { Log } from '../platform/log/log.js';
import type { LoopDelay } from '../platform/metrics/loop-delay.js';
import type { StopOptions } from '../platform/rpc/child-runtime.js';
import type { MessageStore } from '../platform/store/message-store.js';
import { type Clock, msSince } from '../shared/base/clock.js';
import { counted } from '../shared/base/counted.js';
import { errorText } from '../shared/base/errors.js';
import type { Readiness } from './api/readiness.js';
import type { GapSweep } from './delivery/gap-sweep.js';
import type { Replays } from './delivery/replay.js';
import type { SentMarks } from './delivery/sent-marks.js';
import type { DoorLink } from './gateway/door-link.js';
import type { Gateway } from './gateway/gateway.js';
import type { HttpServer } from './gateway/http-server.js';
import type { IdleSweep } from './gateway/idle-sweep.js';
import type { MemoryWatch } from './memory-watch.js';
import type { SessionRegistry } from './sessions/session-registry.js';

/** What clients get to answer our close frame; those that do not are cut. */
const CLOSE_MS = 2000;
const LOOK_MS = 20;
/** What takes less is not worth a line. */
const TELL_MS = 500;
/** Of the deadline, at most, for what comes after the connections: marks, commits. */
const KEEP_MS = 2000;
const KEEP_PART = 0.25;
/** Of the deadline, for connections that go a few at a time; the rest is for what comes after. */
const DRAIN_PART = 0.5;

export interface WorkerParts {
  readonly readiness: Readiness;
  readonly gateway: Gateway;
  readonly server: HttpServer;
  readonly door: Pick<DoorLink, 'stop'>;
  readonly idle: IdleSweep;
  readonly memory: MemoryWatch;
  readonly replays: Replays;
  readonly gaps: GapSweep;
  readonly marks: SentMarks;
  readonly bus: Bus;
  readonly store: MessageStore;
  readonly loopDelay: LoopDelay;
  readonly sessions: SessionRegistry;
  readonly clock: Pick<Clock, 'moment'>;
  readonly log: Log;
}

export async function stopWorker(parts: WorkerParts, options: StopOptions): Promise<void> {
  const { readiness, gateway, server, idle, replays, gaps, marks, bus, store, sessions, log } = parts;
  const begunAt = parts.clock.moment();
  const left = (): number => Math.max(0, options.deadlineMs - msSince(parts.clock, begunAt));
  const step = async (what: string, work: () => Promise<void> | void): Promise<void> => {
    try {
      await work();
    } catch (error) {
      log.error('worker.stop-step-failed', { what, error: errorText(error) });
    }
  };

  readiness.stop();
  parts.memory.stop();
  // Another process takes the calls that come over kept connections; at the end of the server nobody does.
  const calls = options.closing === 'process' ? server.leave() : server.close();
  if (options.closing === 'process') {
    await step('drain', async () => {
      if (sessions.size > 0) options.waiting(`${counted(sessions.size, 'connection')} to move elsewhere`);
      await gateway.drain({ withinMs: left() * DRAIN_PART });
    });
  }
  idle.stop();
  gaps.stop();
  replays.stop();
  await step('connections', async () => {
    if (sessions.size > 0) options.waiting(`${counted(sessions.size, 'connection')} to close`);
    gateway.stop();
    await allClosed(parts, Math.min(CLOSE_MS, left()));
    for (const { connection } of sessions.all()) connection.cut();
  });
  await step('http calls', async () => {
    if (server.connections > 0) options.waiting(`${counted(server.connections, 'HTTP connection')} to end`);
    const keptMs = Math.min(KEEP_MS, options.deadlineMs * KEEP_PART);
    await Promise.race([calls, sleep(Math.max(0, left() - keptMs), undefined, { ref: false })]);
    // What is left does not take its answers: marks and commits must not miss their time for it.
    server.cut();
  });
  parts.door.stop();
  await step('sent marks', () => marks.flush());
  await step('bus', () => bus.close());
  await step('store', async () => {
    const told = setTimeout(() => options.waiting('commits under way'), TELL_MS);
    try {
      await store.close();
    } finally {
      clearTimeout(told);
    }
  });
  await step('loop delay', () => parts.loopDelay.close());
}

async function allClosed(
  { sessions, clock }: Pick<WorkerParts, 'sessions' | 'clock'>,
  withinMs: number,
): Promise<void> {
  const begunAt = clock.moment();
  while (sessions.size > 0 && msSince(clock, begunAt) < withinMs) await sleep(LOOK_MS);
}
