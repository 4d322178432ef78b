/**
 * Which messages have come already. A sender numbers what it sends over one connection (a lane), and one connection keeps
 * its order all the way, so whatever is not above the last number was sent again by somebody else, or comes from a
 * connection that the sender has given up: it is refused.
 *
 * A lane is forgotten when a repetition would be too old anyway. Only signed messages come here, so the bound is met by
 * processes of our own alone.
 */
import { BoundedMap } from '../../../shared/base/bounded-map.js';
import { type Clock, type Moment, msSince } from '../../../shared/base/clock.js';
import { type Opened, TOLERANCE_MS } from './envelope.js';

export const LANES_MAX = 20_000;
const FORGET_EVERY_MS = 60_000;

export class SenderNumbers {
  readonly #clock: Clock;
  /** By sender and lane; the one that was heard longest ago first. */
  readonly #lanes = new BoundedMap<string, { readonly seq: number; readonly ts: number }>(LANES_MAX);
  #lookedAt: Moment;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lookedAt = clock.moment();
  }

  get size(): number {
    return this.#lanes.size;
  }

  /** False when it is not new. */
  take({ sender: { node, process, lane }, seq, ts }: Opened): boolean {
    this.#forget();
    const key = `${node} ${process} ${lane}`;
    const last = this.#lanes.get(key);
    if (last !== undefined && seq <= last.seq) return false;
    this.#lanes.set(key, { seq, ts: Math.max(ts, last?.ts ?? 0) });
    return true;
  }

  #forget(): void {
    if (msSince(this.#clock, this.#lookedAt) < FORGET_EVERY_MS) return;
    this.#lookedAt = this.#clock.moment();
    const now = this.#clock.now();
    for (const [key, { ts }] of this.#lanes.entries()) {
      if (now - ts > 2 * TOLERANCE_MS) this.#lanes.delete(key);
    }
  }
}
