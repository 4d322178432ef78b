/** Whose key is it? What the gateway asks at login, whoever answers. */

export interface LoginKey {
  /** `ukey` is the web's, `token` the app's. */
  readonly channel: 'web' | 'app';
  readonly value: string;
}

export interface UserVerifier {
  /**
   * The user's id, a positive integer. Throws LOGIN_REFUSED when the key is nobody's or the answer cannot be trusted,
   * GZCP_UNAVAILABLE when nobody can be asked now; both are final within their deadline.
   */
  verify(key: LoginKey): Promise<number>;

  /** Nothing that was learnt about this user before now is used again. */
  forget(uid: number): void;
}

/** What is counted about verifying. */
export const GZCP_OUTCOMES = [
  /** Requests sent to the main site, retries included. */
  'call',
  /** Questions it answered with a user. */
  'user',
  /** Questions it answered with uid 0. */
  'nobody',
  /** Answers that cannot be trusted. */
  'faulty',
  /** Questions without an answer: network, deadline, 5xx, 429. */
  'failure',
  /** Logins that waited for the call of an equal key. */
  'shared',
  /** Logins answered from the cache. */
  'cached',
  /** Logins refused without a call: breaker open or queue full. */
  'turnedAway',
] as const;
export type GzcpOutcome = (typeof GZCP_OUTCOMES)[number];

export type BreakerState = 'closed' | 'open' | 'probing';

export interface GzcpMeter {
  count(outcome: GzcpOutcome): void;
  breaker(state: BreakerState): void;
}

export const unmetered: GzcpMeter = { count() {}, breaker() {} };
