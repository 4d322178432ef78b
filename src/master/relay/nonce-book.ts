/**
 * Nonces of signed calls that were used already. Kept here because a call may reach any Worker.
 *
 * Bounded: at most `NONCES_MAX` that have not expired; above it calls are refused (RPC_BUSY) rather than let through.
 */
import type { Clock } from '../../shared/base/clock.js';
import { SpushError } from '../../shared/base/errors.js';
import type { ToMaster } from '../../shared/protocol/ipc.js';

export const NONCES_MAX = 1_000_000;

type Claim = ToMaster['calls']['nonce.claim'];

export class NonceBook {
  readonly #clock: Clock;
  readonly #max: number;
  /** Key and nonce to when it expires, in the order of arrival, which is about the order of expiry. */
  readonly #expiry = new Map<string, number>();

  constructor(clock: Clock, max = NONCES_MAX) {
    this.#clock = clock;
    this.#max = max;
  }

  get size(): number {
    return this.#expiry.size;
  }

  claim({ key, nonce, expiresAt }: Claim['args']): Claim['result'] {
    const now = this.#clock.now();
    this.#prune(now);
    const id = `${key}\n${nonce}`;
    const known = this.#expiry.get(id);
    if (known !== undefined && known > now) return { fresh: false };
    if (this.#expiry.size >= this.#max) {
      throw new SpushError('RPC_BUSY', `${this.#max} nonces are remembered already; call again in a minute`);
    }
    this.#expiry.delete(id);
    this.#expiry.set(id, expiresAt);
    return { fresh: true };
  }

  #prune(now: number): void {
    for (const [id, expiresAt] of this.#expiry) {
      if (expiresAt > now) return;
      this.#expiry.delete(id);
    }
  }
}
