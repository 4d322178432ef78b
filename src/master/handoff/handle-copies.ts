/**
 * The master's copies of handles that it has given on. Each is closed once: when the channel has taken it, or when the
 * process it was for has ended, because Node says nothing of what was still waiting in the channel then.
 */
import type { SentHandle } from '../../platform/rpc/peer.js';

export class HandleCopies<W extends object> {
  readonly #open = new Map<W, Set<SentHandle>>();

  keep(target: W, handle: SentHandle): void {
    const copies = this.#open.get(target) ?? new Set();
    copies.add(handle);
    this.#open.set(target, copies);
  }

  taken(target: W, handle: SentHandle): void {
    const copies = this.#open.get(target);
    if (!copies?.delete(handle)) return;
    if (copies.size === 0) this.#open.delete(target);
    handle.close();
  }

  targetEnded(target: W): void {
    const copies = this.#open.get(target) ?? [];
    this.#open.delete(target);
    for (const handle of copies) handle.close();
  }
}
