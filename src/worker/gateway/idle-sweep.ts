/**
 * One look over all sessions now and then, instead of a timer for each: closes those that are silent in both directions,
 * gives up readers that stand still, and forgets what sessions were sent long ago.
 */
import type { SystemConfig } from '../../platform/config/config-schema.js';
import { type Clock, msBetween } from '../../shared/base/clock.js';
import { CLOSE } from '../../shared/protocol/close-codes.js';
import { forgetSeen } from '../sessions/session.js';
import type { SessionRegistry } from '../sessions/session-registry.js';
import type { WorkerStats } from '../worker-stats.js';

export interface IdleSweepDeps {
  readonly sessions: SessionRegistry;
  readonly system: () => Pick<SystemConfig, 'IdleSeconds' | 'IdleGraceSeconds' | 'IdleCheckSeconds'>;
  /** Seconds until an evicted client may come back. */
  readonly retryAfter: () => number;
  readonly stats: WorkerStats;
  readonly clock: Pick<Clock, 'moment'>;
}

export class IdleSweep {
  readonly #deps: IdleSweepDeps;
  #timer: NodeJS.Timeout | null = null;

  constructor(deps: IdleSweepDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#timer = setTimeout(() => {
      this.sweep();
      this.start();
    }, this.#deps.system().IdleCheckSeconds * 1000);
  }

  stop(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  sweep(): void {
    const { sessions, system, retryAfter, stats, clock } = this.#deps;
    const now = clock.moment();
    const { IdleSeconds, IdleGraceSeconds } = system();
    const silenceMs = (IdleSeconds + IdleGraceSeconds) * 1000;
    for (const { data, connection } of sessions.all()) {
      forgetSeen(data.seen, now);
      if (connection.stalled(now)) continue;
      if (msBetween(data.lastTrafficAt, now) < silenceMs || !connection.open) continue;
      stats.idleClosed += 1;
      connection.end(CLOSE.idle, `no traffic for ${IdleSeconds + IdleGraceSeconds} s`, retryAfter());
    }
  }
}
