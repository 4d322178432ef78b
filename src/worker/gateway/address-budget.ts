/**
 * Counts the open connections of each client address, IPv6 by /64. Loopback is free: only programs of this machine come from
 * there.
 */
export class AddressBudget {
  readonly #links = new Map<string, number>();

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
}
