/** A token bucket: `burst` at once, `perSecond` sustained. No timer: it fills by the time that has passed. */
import { type Moment, msBetween } from '../../shared/base/clock.js';

export interface RateLimit {
  readonly perSecond: number;
  readonly burst: number;
}

/** How full it is, and when that was counted. */
export interface RateBucketState {
  readonly tokens: number;
  readonly filledAt: Moment;
}

export class RateBucket {
  #tokens: number;
  #filledAt: Moment;

  constructor({ tokens, filledAt }: RateBucketState) {
    this.#tokens = tokens;
    this.#filledAt = filledAt;
  }

  static full(limit: RateLimit, now: Moment): RateBucket {
    return new RateBucket({ tokens: limit.burst, filledAt: now });
  }

  get state(): RateBucketState {
    return { tokens: this.#tokens, filledAt: this.#filledAt };
  }

  /** False when nothing is left. */
  take(limit: RateLimit, now: Moment): boolean {
    // In another process it may have been counted a few microseconds later.
    const passedMs = Math.max(0, msBetween(this.#filledAt, now));
    this.#tokens = Math.min(limit.burst, this.#tokens + (passedMs / 1000) * limit.perSecond);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
