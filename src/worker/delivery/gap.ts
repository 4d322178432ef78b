/** A time in which news may have been lost: from then on sessions may lack what the store has. */
import type { Clock } from '../../shared/base/clock.js';

export interface Gap {
  /** Unix ms: nothing published before was lost. */
  readonly since: number;
}

/** Whoever noticed a gap without knowing its beginning noticed it within this. */
const NOTICED_MS = 60_000;

/** A gap that ends now, and whose beginning is not known. */
export function recentGap(clock: Pick<Clock, 'now'>): Gap {
  return { since: clock.now() - NOTICED_MS };
}

export function earlier(one: Gap | null, other: Gap | null): Gap | null;
export function earlier(one: Gap | null, other: Gap): Gap;
export function earlier(one: Gap | null, other: Gap | null): Gap | null {
  if (!one || !other) return one ?? other;
  return one.since < other.since ? one : other;
}
