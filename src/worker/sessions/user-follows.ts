/**
 * Whose news this process hears: a user is followed on the bus as long as somebody here needs it, be it one of his sessions
 * or one that is on its way to or from another Worker.
 */

import type { Bus } from '../../platform/bus/bus.js';
import { assert } from '../../shared/base/assert.js';

export class UserFollows {
  readonly #bus: Pick<Bus, 'follow' | 'unfollow'>;
  readonly #counts = new Map<number, number>();

  constructor(bus: Pick<Bus, 'follow' | 'unfollow'>) {
    this.#bus = bus;
  }

  /** Resolves when the user's events reach this process. Counts even when it rejects: say `unfollow` in any case. */
  follow(uid: number): Promise<void> {
    this.#counts.set(uid, (this.#counts.get(uid) ?? 0) + 1);
    return this.#bus.follow(uid);
  }

  /** One more needs the news of a user who is followed already. */
  again(uid: number): void {
    const count = this.#counts.get(uid) ?? 0;
    assert(count > 0, 'a user is followed again who was not followed');
    this.#counts.set(uid, count + 1);
  }

  /** Once for every `follow` and `again`. */
  unfollow(uid: number): void {
    const count = this.#counts.get(uid) ?? 0;
    assert(count > 0, 'a user is unfollowed who was not followed');
    if (count > 1) {
      this.#counts.set(uid, count - 1);
      return;
    }
    this.#counts.delete(uid);
    this.#bus.unfollow(uid);
  }
}
