/**
 * What the clocks of a place show, and when. Twice a year they are changed: in spring they skip some local times (a gap), in
 * autumn they show some twice. A local time is a number: Unix ms as if the place were at UTC.
 */
const SECOND_MS = 1000;
const DAY_MS = 86_400_000;

export class ZoneTime {
  readonly #format: Intl.DateTimeFormat;

  /** @param zone null: the machine's. Throws RangeError when there is none of this name. */
  constructor(zone: string | null) {
    this.#format = new Intl.DateTimeFormat('en-US', {
      ...(zone === null ? {} : { timeZone: zone }),
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  }

  localAt(unixMs: number): number {
    return unixMs + this.#offsetAt(unixMs);
  }

  /** When the clocks show it: once, as a rule; twice, rising, where they were set back; never in a gap. */
  momentsOf(localMs: number): number[] {
    const { before, after } = this.#offsetsAround(localMs);
    // The larger offset is the earlier one of two.
    const offsets = before === after ? [before] : [Math.max(before, after), Math.min(before, after)];
    return offsets.flatMap((offset) =>
      this.#offsetAt(localMs - offset) === offset ? [localMs - offset] : [],
    );
  }

  /** For a local time in a gap: when the gap comes to its end, and how long it is. */
  gapOver(localMs: number): { readonly endsAt: number; readonly gapMs: number } {
    const { before, after } = this.#offsetsAround(localMs);
    return { endsAt: this.#changeBetween(localMs - after, localMs - before), gapMs: after - before };
  }

  /** When the clocks will be set back so far that they show this moment's local time once more; null when they will not. */
  shownAgainFrom(unixMs: number): number | null {
    const offset = this.#offsetAt(unixMs);
    if (this.#offsetAt(unixMs + DAY_MS) >= offset) return null;
    const changedAt = this.#changeBetween(unixMs, unixMs + DAY_MS);
    return this.localAt(changedAt) <= unixMs + offset ? changedAt : null;
  }

  /** A day before and a day after, as no place is further from UTC. */
  #offsetsAround(localMs: number): { readonly before: number; readonly after: number } {
    return { before: this.#offsetAt(localMs - DAY_MS), after: this.#offsetAt(localMs + DAY_MS) };
  }

  /** The first moment with another offset than `from` has; clocks are changed at whole seconds. */
  #changeBetween(from: number, to: number): number {
    const offset = this.#offsetAt(from);
    let same = Math.floor(from / SECOND_MS);
    let other = Math.ceil(to / SECOND_MS);
    while (other - same > 1) {
      const middle = Math.floor((same + other) / 2);
      if (this.#offsetAt(middle * SECOND_MS) === offset) same = middle;
      else other = middle;
    }
    return other * SECOND_MS;
  }

  #offsetAt(unixMs: number): number {
    const whole = Math.floor(unixMs / SECOND_MS) * SECOND_MS;
    const parts = new Map(this.#format.formatToParts(whole).map(({ type, value }) => [type, Number(value)]));
    const of = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? Number.NaN;
    return Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second')) - whole;
  }
}
