/**
 * Calls in the order they came: those that change something in groups that share a commit, those that read one by one.
 *
 * A read may see changes that were called after it (both were under way), never miss one called before it. So changes do not
 * wait for reads, however many there are; a read waits for the commit of those before it, and stands outside of the
 * transaction, where it would hold the write lock.
 */
import { type Call, WRITES } from '../store-calls.js';

/** About 30 ms of the write lock; other processes wait that long at most, and a commit is shared by enough. */
export const GROUP_ROWS_MAX = 2_000;
/** The same for long texts. */
export const GROUP_BYTES_MAX = 4 * 1024 * 1024;

/** So many reads that were taken are cut off together. */
const CUT_READS = 1_000;

export class CallQueue {
  #writes: Call[] = [];
  readonly #reads: Call[] = [];
  /** Reads that were taken; they are cut off now and then, not one by one. */
  #readsTaken = 0;

  push(calls: readonly Call[]): void {
    for (const call of calls) (WRITES[call.name] ? this.#writes : this.#reads).push(call);
  }

  /** The next group of changes; none when there are none. A single call of any size is a group. */
  nextWrites(): readonly Call[] {
    let rows = 0;
    let bytes = 0;
    let taken = 0;
    for (const call of this.#writes) {
      rows += call.rows;
      bytes += call.bytes;
      if (taken > 0 && (rows > GROUP_ROWS_MAX || bytes > GROUP_BYTES_MAX)) break;
      taken += 1;
    }
    const group = this.#writes.slice(0, taken);
    this.#writes = this.#writes.slice(taken);
    return group;
  }

  /** The next read before which no change waits, or null. */
  nextRead(): Call | null {
    const read = this.#reads[this.#readsTaken];
    const [write] = this.#writes;
    if (read === undefined || (write !== undefined && write.seq < read.seq)) return null;
    this.#readsTaken += 1;
    if (this.#readsTaken === this.#reads.length || this.#readsTaken >= CUT_READS) {
      this.#reads.splice(0, this.#readsTaken);
      this.#readsTaken = 0;
    }
    return read;
  }
}
