/**
 * One look over all sessions now and then, instead of a timer for each: closes those that are silent in both directions,
 * asks those that are pushed to and silent, cuts those that do not answer, gives up readers that stand still, and forgets
 * what sessions were sent long ago.
 */
import type { SystemConfig } from '../../platform/config/config-schema.js';
import { type Clock, type Moment, msBetween, msLater, msSince } from '../../shared/base/clock.js';
import { CLOSE } from '../../shared/protocol/close-codes.js';
import { forgetSeen } from '../sessions/session.js';
import type { SessionRegistry } from '../sessions/session-registry.js';
import type { WorkerStats } from '../worker-stats.js';

/**
 * A look that comes so much late was held up, by a suspended process or a blocked loop: what clients said meanwhile waits
 * in their sockets, so it is read for so long before anybody is judged. Only so often in a row, or a process that is always
 * late would keep everybody.
 */
const LATE_MS = 1000;
const READ_FIRST_MS = 1000;
const EXCUSES_MAX = 3;

/** Timers may fire a little before their time. */
const EARLY_MS = 50;

type SweepKey =
  | 'IdleSeconds'
  | 'IdleGraceSeconds'
  | 'IdleCheckSeconds'
  | 'ProbeSeconds'
  | 'ProbeAnswerSeconds';

export interface IdleSweepDeps {
  readonly sessions: SessionRegistry;
  readonly system: () => Pick<SystemConfig, SweepKey>;
  /** Seconds until an evicted client may come back. */
  readonly retryAfter: () => number;
  readonly stats: WorkerStats;
  readonly clock: Pick<Clock, 'moment'>;
}

export class IdleSweep {
  readonly #deps: IdleSweepDeps;
  #timer: NodeJS.Timeout | null = null;
  #excuses = 0;

  constructor(deps: IdleSweepDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#lookIn(this.#deps.system().IdleCheckSeconds * 1000);
  }

  stop(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  sweep(): void {
    const { sessions, system, retryAfter, stats, clock } = this.#deps;
    const now = clock.moment();
    const { IdleSeconds, IdleGraceSeconds, IdleCheckSeconds, ProbeSeconds, ProbeAnswerSeconds } = system();
    const silenceMs = (IdleSeconds + IdleGraceSeconds) * 1000;
    const limits = {
      // The next look would be too late.
      askMs: Math.max(0, ProbeSeconds - IdleCheckSeconds) * 1000,
      answerMs: ProbeAnswerSeconds * 1000 - EARLY_MS,
    };
    for (const { data, connection } of sessions.all()) {
      forgetSeen(data.seen, now);
      if (connection.stalled(now)) continue;
      if (connection.lost(now, limits)) {
        stats.lostCut += 1;
        connection.cut();
        continue;
      }
      if (msBetween(data.lastTrafficAt, now) < silenceMs || !connection.open) continue;
      stats.idleClosed += 1;
      connection.end(CLOSE.idle, `no traffic for ${IdleSeconds + IdleGraceSeconds} s`, retryAfter());
    }
  }

  #lookIn(ms: number): void {
    const due = msLater(this.#deps.clock.moment(), ms);
    this.#timer = setTimeout(() => {
      if (this.#wasHeldUp(due)) {
        this.#lookIn(READ_FIRST_MS);
        return;
      }
      this.sweep();
      this.start();
    }, ms);
  }

  #wasHeldUp(due: Moment): boolean {
    const isLate = msSince(this.#deps.clock, due) >= LATE_MS && this.#excuses < EXCUSES_MAX;
    this.#excuses = isLate ? this.#excuses + 1 : 0;
    return isLate;
  }
}
