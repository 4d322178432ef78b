/**
 * Connections that wait for a Worker, in one queue per client address (IPv6: /64). The queues are served in turns, so that an
 * address with many connections delays only its own. When the room is full, the newest of the longest queue is refused.
 */
import { addressBudgetKey } from '../../platform/auth/client-address.js';

export class WaitingRoom<T> {
  /** Never an empty line; the first one is next. */
  readonly #lines = new Map<string, T[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(address: string, item: T): void {
    const key = addressBudgetKey(address);
    const line = this.#lines.get(key);
    if (line) line.push(item);
    else this.#lines.set(key, [item]);
    this.#size += 1;
  }

  /** Takes out the one that waited longest in the line whose turn it is. */
  next(): T | undefined {
    const [first] = this.#lines;
    if (!first) return undefined;
    const [key, line] = first;
    this.#lines.delete(key);
    const item = line.shift();
    this.#size -= 1;
    if (line.length > 0) this.#lines.set(key, line);
    return item;
  }

  /** Takes out the one that came last to the longest line; of lines as long, to the one whose turn is last. */
  newestOfLongest(): T | undefined {
    let longest: [string, T[]] | undefined;
    for (const each of this.#lines) if (each[1].length >= (longest?.[1].length ?? 0)) longest = each;
    if (!longest) return undefined;
    const [key, line] = longest;
    const item = line.pop();
    this.#size -= 1;
    if (line.length === 0) this.#lines.delete(key);
    return item;
  }

  /** Takes out all for which `isOut` returns true. */
  takeOut(isOut: (item: T) => boolean): T[] {
    const out: T[] = [];
    for (const [key, line] of this.#lines) {
      const stay: T[] = [];
      for (const item of line) (isOut(item) ? out : stay).push(item);
      if (stay.length === line.length) continue;
      if (stay.length > 0) this.#lines.set(key, stay);
      else this.#lines.delete(key);
    }
    this.#size -= out.length;
    return out;
  }
}
