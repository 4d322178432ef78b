/**
 * Counts per client address, IPv6 by /64: open connections, and refused logins in the running minute. Loopback is free:
 * only programs of this machine come from there, or a proxy that does not tell its clients apart.
 */
import { type Clock, type Moment, msSince } from '../../shared/base/clock.js';

/** Addresses with refused logins that are remembered; when full the oldest minute is forgotten with all its addresses. */
const REFUSALS_MAX = 100_000;
const MINUTE_MS = 60_000;

export class AddressBudget {
  readonly #clock: Pick<Clock, 'moment'>;
  readonly #links = new Map<string, number>();
  #refusals = new Map<string, number>();
  #minuteStartedAt: Moment;

  constructor(clock: Pick<Clock, 'moment'>) {
    this.#clock = clock;
    this.#minuteStartedAt = clock.moment();
  }

  /** Takes a place for a connection; false when the address has `max` already. */
  takeLink(key: string, max: number): boolean {
    const open = this.#links.get(key) ?? 0;
    if (open >= max) return false;
    this.#links.set(key, open + 1);
    return true;
  }

  /** A connection that came from another Worker is counted, whatever the limit. */
  addLink(key: string): void {
    this.#links.set(key, (this.#links.get(key) ?? 0) + 1);
  }

  returnLink(key: string): void {
    const open = this.#links.get(key) ?? 0;
    if (open <= 1) this.#links.delete(key);
    else this.#links.set(key, open - 1);
  }

  mayLogin(key: string, maxRefusals: number): boolean {
    this.#turnMinute();
    return (this.#refusals.get(key) ?? 0) < maxRefusals;
  }

  loginRefused(key: string): void {
    this.#turnMinute();
    this.#refusals.set(key, (this.#refusals.get(key) ?? 0) + 1);
  }

  #turnMinute(): void {
    const isOver = msSince(this.#clock, this.#minuteStartedAt) >= MINUTE_MS;
    if (!isOver && this.#refusals.size < REFUSALS_MAX) return;
    this.#minuteStartedAt = this.#clock.moment();
    this.#refusals = new Map();
  }
}
