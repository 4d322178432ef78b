/**
 * Calls in the order they came, cut into groups: the calls that read and stand first, the calls that change something and
 * share a commit, and the calls that read after those.
 *
 * A read may see changes that were called after it (both were under way), never miss one called before it. So
 * reads wait for the commit, but not inside the transaction, where they would hold the write lock.
 */
import { type Call, WRITES } from '../store-calls.js';

/** About 30 ms of the write lock; other processes wait that long at most, and a commit is shared by enough. */
export const GROUP_ROWS_MAX = 2_000;
/** The same for long texts. */
export const GROUP_BYTES_MAX = 4 * 1024 * 1024;

export interface Group {
  readonly readsBefore: readonly Call[];
  readonly writes: readonly Call[];
  readonly readsAfter: readonly Call[];
}

export class CallQueue {
  #calls: Call[] = [];

  push(calls: readonly Call[]): void {
    for (const call of calls) this.#calls.push(call);
  }

  /** The next group, or null. A single call of any size is a group. */
  next(): Group | null {
    if (this.#calls.length === 0) return null;
    const readsBefore: Call[] = [];
    const writes: Call[] = [];
    const readsAfter: Call[] = [];
    let rows = 0;
    let bytes = 0;
    let taken = 0;
    for (const call of this.#calls) {
      if (WRITES[call.name]) {
        rows += call.rows;
        bytes += call.bytes;
        if (writes.length > 0 && (rows > GROUP_ROWS_MAX || bytes > GROUP_BYTES_MAX)) break;
        writes.push(call);
      } else {
        (writes.length === 0 ? readsBefore : readsAfter).push(call);
      }
      taken += 1;
    }
    this.#calls = this.#calls.slice(taken);
    return { readsBefore, writes, readsAfter };
  }
}
