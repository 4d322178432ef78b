/**
 * Nonces of calls that were accepted. They are kept in the master because a replay may reach any Worker.
 *
 * A call is valid while its timestamp is within the tolerance of this node's wall clock, so a nonce is kept for two
 * tolerances, measured by the monotonic clock. Older nonces stay while there is room. When they are dropped, the latest
 * timestamp among them is kept, and calls up to that timestamp are refused: without this, setting the wall clock back
 * would make a call valid again whose nonce is no longer known.
 *
 * Bounded: at most `NONCES_MAX` within two tolerances; above it calls are refused (RPC_BUSY) rather than let through.
 */
import { createHash } from 'node:crypto';
import { TOLERANCE_SECONDS } from '../../platform/auth/signature.js';
import { type Clock, type Moment, msSince } from '../../shared/base/clock.js';
import { SpushError } from '../../shared/base/errors.js';
import type { ToMaster } from '../../shared/protocol/ipc.js';

export const NONCES_MAX = 1_000_000;
/** Nonces kept beyond two tolerances: enough for half an hour at 50 calls a second. */
export const NONCES_KEPT = 100_000;
/** The longest time during which one call can be valid; one second more, as timestamps are whole seconds. */
export const NONCE_MS = 2 * TOLERANCE_SECONDS * 1000 + 1000;

type Claim = ToMaster['calls']['nonce.claim'];

export interface KeptNonce {
  /** Digest of scope and nonce: its length does not depend on what a caller sends. */
  readonly digest: string;
  /** When it was claimed. */
  readonly at: Moment;
  /** The call's timestamp, in Unix seconds, as the caller sent it. */
  readonly timestamp: number;
}

export class NonceBook {
  readonly #clock: Pick<Clock, 'moment'>;
  readonly #max: number;
  readonly #kept: number;
  /** By digest, in the order in which they were claimed. */
  readonly #nonces = new Map<string, KeptNonce>();
  #forgotten = 0;

  constructor(clock: Pick<Clock, 'moment'>, { max = NONCES_MAX, kept = NONCES_KEPT } = {}) {
    this.#clock = clock;
    this.#max = max;
    this.#kept = kept;
  }

  get size(): number {
    return this.#nonces.size;
  }

  /** The latest time of those that are not known any more, Unix seconds. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /** In the order in which they were claimed. */
  all(): Iterable<KeptNonce> {
    return this.#nonces.values();
  }

  /** What an earlier master knew. */
  remember(nonces: Iterable<KeptNonce>, forgotten: number): void {
    for (const nonce of nonces) this.#nonces.set(nonce.digest, nonce);
    this.#forgotten = Math.max(this.#forgotten, forgotten);
    this.#prune();
  }

  /** Null: it was used before, or cannot be told from one that was. */
  claim({ scope, nonce, timestamp }: Claim['args']): KeptNonce | null {
    this.#prune();
    const digest = nonceDigest(scope, nonce);
    if (this.#nonces.has(digest) || timestamp <= this.#forgotten) return null;
    if (this.#nonces.size >= this.#max) {
      throw new SpushError('RPC_BUSY', `${this.#max} nonces are remembered already; call again in a minute`);
    }
    const claimed = { digest, at: this.#clock.moment(), timestamp };
    this.#nonces.set(digest, claimed);
    return claimed;
  }

  #prune(): void {
    for (const { digest, at, timestamp } of this.#nonces.values()) {
      if (this.#nonces.size <= this.#kept || msSince(this.#clock, at) < NONCE_MS) return;
      this.#nonces.delete(digest);
      this.#forgotten = Math.max(this.#forgotten, timestamp);
    }
  }
}

/** 132 bits: nobody finds two that are alike. */
export function nonceDigest(scope: string, nonce: string): string {
  return createHash('sha256').update(`${scope}\n${nonce}`).digest('base64url').slice(0, 22);
}
