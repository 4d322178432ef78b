/**
 * Which processes follow which user. Nearly every user is followed by one process, so the table holds that one itself, and
 * a set only where there are more.
 */

/** When a follower has ended, so many users are looked at in one turn of the loop. */
const FORGET_SLICE = 20_000;

export class FollowTable<F extends object> {
  readonly #byUid = new Map<number, F | Set<F>>();
  readonly #ended = new WeakSet<F>();

  get size(): number {
    return this.#byUid.size;
  }

  add(uid: number, follower: F): void {
    const entry = this.#byUid.get(uid);
    if (entry === undefined || entry === follower) this.#byUid.set(uid, follower);
    else if (entry instanceof Set) entry.add(follower);
    else this.#byUid.set(uid, new Set([entry, follower]));
  }

  remove(uid: number, follower: F): void {
    const entry = this.#byUid.get(uid);
    if (entry === follower) {
      this.#byUid.delete(uid);
    } else if (entry instanceof Set && entry.delete(follower) && entry.size === 1) {
      for (const last of entry) this.#byUid.set(uid, last);
    }
  }

  *of(uid: number): Iterable<F> {
    const entry = this.#byUid.get(uid);
    if (entry === undefined) return;
    if (!(entry instanceof Set)) {
      if (!this.#ended.has(entry)) yield entry;
      return;
    }
    for (const follower of entry) if (!this.#ended.has(follower)) yield follower;
  }

  /** The follower has ended: it follows nobody from now on; its entries go slice by slice. */
  forget(follower: F): void {
    this.#ended.add(follower);
    const uids = this.#byUid.entries();
    const slice = (): void => {
      for (let n = 0; n < FORGET_SLICE; n += 1) {
        const next = uids.next();
        if (next.done) return;
        const [uid, entry] = next.value;
        if (entry === follower || entry instanceof Set) this.remove(uid, follower);
      }
      setImmediate(slice);
    };
    slice();
  }
}
