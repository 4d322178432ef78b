/**
 * The times that the words of a rule name, on a calendar whose clock is never changed. A local time is a number: Unix ms as
 * if the place were at UTC. What a word means (L, 15W, 1#2, 22-6 …) is the library's to say; it is asked for the values of
 * minute and hour, and for each day whether the rule has it.
 */
import { createTask, parse, type ScheduledTask } from 'node-cron';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** In so many days of this century every date there is falls on every weekday: a rule that has none of them never comes. */
const DAYS_MAX = 28 * 366;

export class RuleCalendar {
  /** Of a day, rising: ms since its midnight. */
  readonly #times: readonly number[];
  readonly #months: ReadonlySet<number>;
  readonly #days: Pick<ScheduledTask, 'match'>;

  /** @param rule five fields, as `checkRule` accepts them */
  constructor(rule: string) {
    const [minutes, hours, dayOfMonth, months, weekday] = rule.split(' ');
    // Days and months apart: the library would refuse to read 31 February.
    const { minute, hour, month } = parse(`${minutes} ${hours} * ${months} *`);
    const times = hour.flatMap((h) => minute.map((m) => h * HOUR_MS + m * MINUTE_MS));
    this.#times = [...new Set(times)].sort((a, b) => a - b);
    this.#months = new Set(month);
    const days = createTask(`* * ${dayOfMonth} * ${weekday}`, () => {}, { timezone: 'UTC' });
    // It is only asked. Until it is destroyed the library keeps it in a list of its own.
    void days.destroy();
    this.#days = days;
  }

  /** The first time after this one; null when there is none. */
  next(afterLocalMs: number): number | null {
    let day = Math.floor(afterLocalMs / DAY_MS) * DAY_MS;
    for (let looked = 0; looked < DAYS_MAX; looked += 1, day += DAY_MS) {
      if (!this.#hasDay(day)) continue;
      const time = this.#times.find((ofDay) => day + ofDay > afterLocalMs);
      if (time !== undefined) return day + time;
    }
    return null;
  }

  has(localMs: number): boolean {
    return this.next(localMs - 1) === localMs;
  }

  #hasDay(day: number): boolean {
    const date = new Date(day);
    return this.#months.has(date.getUTCMonth() + 1) && this.#days.match(date);
  }
}
