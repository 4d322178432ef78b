/**
 * What all children have counted together since the master started. A child that ends takes nothing away from the sums:
 * its last known counts stay in them. (Of one that was killed, what it counted since it was asked last is lost.)
 */
import { type ChildStats, NO_STATS } from '../../shared/protocol/ipc.js';

/** Added up over the living and the dead. */
const COUNTS = ['accepted', 'closed', 'requests', 'pushes', 'acks', 'tasksDone', 'tasksFailed'] as const;
/** Of the living only. */
const LEVELS = ['connections', 'sessions', 'tasksRunning', 'heapUsedBytes'] as const;

type Sums = { -readonly [K in keyof ChildStats]: number };

const nothing = (): Sums => ({ ...NO_STATS });

export class Totals<C extends object> {
  readonly #past = nothing();
  readonly #last = new Map<C, ChildStats>();

  /** What a living child said last. */
  learn(child: C, stats: ChildStats): void {
    this.#last.set(child, stats);
  }

  lastOf(child: C): ChildStats | null {
    return this.#last.get(child) ?? null;
  }

  /** Its counts stay; the connections it still had are closed now. */
  ended(child: C): void {
    const last = this.#last.get(child);
    if (!last) return;
    this.#last.delete(child);
    for (const name of COUNTS) this.#past[name] += last[name];
    this.#past.closed += last.connections;
  }

  sum(): ChildStats {
    const sums = { ...this.#past };
    for (const stats of this.#last.values()) {
      for (const name of COUNTS) sums[name] += stats[name];
      for (const name of LEVELS) sums[name] += stats[name];
    }
    return sums;
  }
}
