/** Time comes from here in domain and delivery code, so that tests own it. */
export interface Clock {
  /** Unix milliseconds. */
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/** Unix seconds of now, the `ts` of every frame. */
export function nowSeconds(clock: Clock): number {
  return Math.floor(clock.now() / 1000);
}
