/**
 * Follows rules: calls each at its times, by a wall clock that may be set and a process that may be held up.
 *
 * - What was jumped over (the clock was set forward, the machine or the process was suspended, the loop was blocked) runs
 *   once, late, however many times it was, and that is logged.
 * - When the clock is set back, rules that mean "every so often" go on with the times that come now; those that name their
 *   times of day do not run again at one that has passed. After a jump of hours the clock was wrong before: then all begin anew.
 *
 * It looks at the clock when the next rule is due, and once a second, because a process is not notified when the clock is set.
 */
import type { RuleTimes } from '../platform/cron/rule-times.js';
import type { Log } from '../platform/log/log.js';
import { type Clock, type Moment, msBetween } from '../shared/base/clock.js';

export const LOOK_EVERY_MS = 1000;
/** A run that comes so much after its time is called late. */
export const LATE_MS = 1000;
/** Set back by less, the clock is waited for: nothing comes twice within a minute. */
export const SET_BACK_MS_MIN = 60_000;
/** Longer than any change between summer and winter time. */
export const SET_BACK_MS_MAX = 3 * 3_600_000;

export interface Schedule {
  nextRun(): Date | null;
  close(): void;
}

interface Entry {
  readonly job: string;
  readonly times: Pick<RuleTimes, 'next' | 'isNamed'>;
  readonly tick: () => void;
  /** Unix ms; null: never. */
  next: number | null;
  /** Unix ms: the latest time that was shown while it was followed. */
  followedTo: number;
}

interface Look {
  readonly now: number;
  readonly at: Moment;
}

export interface TimetableDeps {
  readonly clock: Clock;
  readonly log: Log;
}

export class Timetable {
  readonly #deps: TimetableDeps;
  readonly #entries = new Set<Entry>();
  #timer: NodeJS.Timeout | null = null;
  #looked: Look;

  constructor(deps: TimetableDeps) {
    this.#deps = deps;
    this.#looked = this.#look();
  }

  /** @param tick is not called any more once the schedule is closed. A change of a rule is another schedule. */
  follow(job: string, times: Entry['times'], tick: () => void): Schedule {
    // The clock is not looked at while there are no rules.
    if (this.#entries.size === 0) this.#looked = this.#look();
    const now = this.#deps.clock.now();
    const entry: Entry = { job, times, tick, next: times.next(now), followedTo: now };
    this.#entries.add(entry);
    this.#arm();
    return {
      nextRun: () => (entry.next === null ? null : new Date(entry.next)),
      close: () => {
        this.#entries.delete(entry);
        this.#arm();
      },
    };
  }

  #arm(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#entries.size === 0) return;
    const now = this.#deps.clock.now();
    const waits = [...this.#entries].map(({ next }) => (next === null ? LOOK_EVERY_MS : next - now));
    const waitMs = Math.max(1, Math.min(LOOK_EVERY_MS, ...waits));
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#runDue();
      this.#arm();
    }, waitMs);
  }

  #runDue(): void {
    const before = this.#looked;
    const look = this.#look();
    this.#looked = look;
    const setByMs = look.now - before.now - msBetween(before.at, look.at);
    const isSetBack = setByMs <= -SET_BACK_MS_MIN;
    if (isSetBack) this.#tellSetBack(look.now, -setByMs);
    for (const entry of [...this.#entries]) {
      if (!this.#entries.has(entry)) continue;
      // What was due before the clock was set back, a moment ago, is due all the same.
      const reached = isSetBack ? Math.floor(look.now - setByMs) : look.now;
      const due = entry.next !== null && entry.next <= reached ? entry.next : null;
      noteTime(entry, reached, look.now);
      if (due === null && !isSetBack) continue;
      entry.next = entry.times.next(entry.times.isNamed ? entry.followedTo : look.now);
      if (due === null) continue;
      this.#tellLate(entry, due, { now: look.now, setByMs });
      entry.tick();
    }
  }

  #tellLate({ job }: Entry, due: number, { now, setByMs }: { now: number; setByMs: number }): void {
    const lateMs = Math.round(now - due);
    if (lateMs < LATE_MS) return;
    const reason =
      setByMs >= LATE_MS
        ? 'the clock was set forward, or the machine was suspended'
        : 'this process was suspended or held up';
    this.#deps.log.warn('job.late', { job, due: new Date(due).toISOString(), lateMs, reason });
  }

  #tellSetBack(now: number, byMs: number): void {
    const fields = { byMs: Math.round(byMs), to: new Date(now).toISOString() };
    this.#deps.log.warn('crontab.clockSetBack', fields);
  }

  #look(): Look {
    return { now: this.#deps.clock.now(), at: this.#deps.clock.moment() };
  }
}

function noteTime(entry: Entry, reached: number, now: number): void {
  const followedTo = Math.max(entry.followedTo, reached);
  entry.followedTo = followedTo - now > SET_BACK_MS_MAX ? now : followedTo;
}
