/**
 * Time comes from here in domain and delivery code, so that tests own it. A clock has two readings, which must not be
 * confused: what the wall says, which people and NTP set forward and back, and a counter that only runs on.
 *
 *     clock.now()     stamps: what is stored, shown, or compared with another machine's time
 *     clock.moment()  durations and deadlines, within one machine
 *
 * A `Moment` is opaque: arithmetic with it does not compile, and neither does passing it where Unix time is meant.
 */
export interface Clock {
  /** Unix milliseconds, of a clock that may be set: for stamps only. */
  now(): number;
  /** The same counter in all processes of the machine since it was started; never set, stands still in a suspend. */
  moment(): Moment;
}

declare const monotonic: unique symbol;

/** A reading of the monotonic clock. At run time milliseconds with fractions. */
export interface Moment {
  readonly [monotonic]: true;
}

/** Milliseconds from one moment to a later one; negative when it is earlier. */
export function msBetween(from: Moment, to: Moment): number {
  return momentMs(to) - momentMs(from);
}

/** Milliseconds since a moment. */
export function msSince(clock: Pick<Clock, 'moment'>, from: Moment): number {
  return msBetween(from, clock.moment());
}

/** The moment so many milliseconds later; earlier when they are negative. */
export function msLater(from: Moment, ms: number): Moment {
  return momentOf(momentMs(from) + ms);
}

/** Its milliseconds, to be sent to another process of this machine; of no use to anybody else. */
export function momentMs(moment: Moment): number {
  return moment as unknown as number;
}

/** The moment whose milliseconds another process of this machine has sent. */
export function momentOf(ms: number): Moment {
  return ms as unknown as Moment;
}

/** A moment with what the wall said then: for what is looked up later among things that are stamped. */
export interface StampedMoment {
  readonly at: Moment;
  readonly unixMs: number;
}

export function stampedNow(clock: Clock): StampedMoment {
  return { at: clock.moment(), unixMs: clock.now() };
}

/**
 * Unix ms, whole as stamps are, though moments are finer: nothing that was stamped since has an earlier stamp, whatever the
 * wall clock was set to meanwhile.
 */
export function earliestStamp(clock: Clock, { at, unixMs }: StampedMoment): number {
  return Math.floor(Math.min(unixMs, clock.now() - msSince(clock, at)));
}

/** Unix seconds of now, the `ts` of every frame. */
export function nowSeconds(clock: Pick<Clock, 'now'>): number {
  return Math.floor(clock.now() / 1000);
}
