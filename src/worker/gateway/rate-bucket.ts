/** A token bucket: `burst` at once, `perSecond` sustained. No timer: it fills by the time that has passed. */
export interface RateLimit {
  readonly perSecond: number;
  readonly burst: number;
}

/** How full it is, and when (Unix ms) that was counted. */
export interface RateBucketState {
  readonly tokens: number;
  readonly filledAt: number;
}

export class RateBucket {
  #tokens: number;
  #filledAt: number;

  constructor({ tokens, filledAt }: RateBucketState) {
    this.#tokens = tokens;
    this.#filledAt = filledAt;
  }

  static full(limit: RateLimit, nowMs: number): RateBucket {
    return new RateBucket({ tokens: limit.burst, filledAt: nowMs });
  }

  get state(): RateBucketState {
    return { tokens: this.#tokens, filledAt: this.#filledAt };
  }

  /** False when nothing is left. */
  take(limit: RateLimit, nowMs: number): boolean {
    const passedMs = Math.max(0, nowMs - this.#filledAt);
    this.#tokens = Math.min(limit.burst, this.#tokens + (passedMs / 1000) * limit.perSecond);
    this.#filledAt = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
