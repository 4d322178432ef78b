/**
 * When a rule comes in a place whose clocks are changed twice a year.
 *
 * A rule that names its minutes and hours one by one (`30 2`, `0,30 9,21`) means those times of the day; any other (`*`, a
 * range or a step in the minute or the hour) means "every so often".
 *
 *     autumn, a local time comes twice   named: once, the first time      every so often: both times
 *     spring, a local time is skipped    named: once, when the gap ends   every so often: the same, unless the rule has
 *                                                                         the time that the clocks show instead of it
 *
 * So no rule rests longer than it says, and none that names its times runs twice at one of them.
 */
import { RuleCalendar } from './rule-calendar.js';
import { ZoneTime } from './zone-time.js';

const HOURS = 24;

export class RuleTimes {
  /** It names its minutes and hours one by one. */
  readonly isNamed: boolean;
  readonly #calendar: RuleCalendar;
  readonly #zone: ZoneTime;

  /**
   * @param rule five fields, as `checkRule` accepts them
   * @param zone null: the machine's. Throws RangeError when there is none of this name.
   */
  constructor(rule: string, zone: string | null) {
    this.#calendar = new RuleCalendar(rule);
    this.#zone = new ZoneTime(zone);
    this.isNamed = namesItsTimes(rule);
  }

  /** Unix ms of the first time after this one; null when it never comes. */
  next(afterMs: number): number | null {
    const first = this.#nextFrom(this.#zone.localAt(afterMs), afterMs);
    const again = this.isNamed ? null : this.#nextAgain(afterMs);
    return first === null || again === null ? (first ?? again) : Math.min(first, again);
  }

  /** In the local times that lie behind, when the clocks are going to show them once more. */
  #nextAgain(afterMs: number): number | null {
    const changedAt = this.#zone.shownAgainFrom(afterMs);
    return changedAt === null ? null : this.#nextFrom(this.#zone.localAt(changedAt) - 1, changedAt - 1);
  }

  /** Of the local times after this one the first that comes after that moment. */
  #nextFrom(localMs: number, afterMs: number): number | null {
    let local = this.#calendar.next(localMs);
    while (local !== null) {
      const at = this.#momentOf(local, afterMs);
      if (at !== null) return at;
      local = this.#calendar.next(local);
    }
    return null;
  }

  #momentOf(localMs: number, afterMs: number): number | null {
    const moments = this.#zone.momentsOf(localMs);
    if (moments.length === 0) return this.#insteadOf(localMs);
    const at = this.isNamed ? moments[0] : moments.find((moment) => moment > afterMs);
    return at !== undefined && at > afterMs ? at : null;
  }

  /** For a time that the clocks skip. */
  #insteadOf(localMs: number): number | null {
    const { endsAt, gapMs } = this.#zone.gapOver(localMs);
    return this.isNamed || !this.#calendar.has(localMs + gapMs) ? endsAt : null;
  }
}

/** A list of all hours is every hour, however it is written. */
function namesItsTimes(rule: string): boolean {
  const [minute = '', hour = ''] = rule.split(' ');
  return [minute, hour].every((field) => /^[\d,]+$/.test(field)) && new Set(hour.split(',')).size < HOURS;
}
