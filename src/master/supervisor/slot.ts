/**
 * A place for one child: name and index stay, processes come and go. While one process takes the place of another both are
 * there: the one that has the place, and `next`, which gets it when it is ready, or, for a Worker, when it has taken the
 * connections too.
 */
import type { SpawnedRole } from '../../shared/domain/role.js';
import type { Child } from './child.js';
import { RestartPolicy } from './restart-policy.js';

export class Slot {
  readonly role: SpawnedRole;
  readonly index: number;
  readonly name: string;
  readonly policy = new RestartPolicy();
  child: Child | null = null;
  /** A process that is about to take the place. */
  next: Child | null = null;
  /** Somebody sees to this place: the end of a process here is no death, and nobody is started by himself. */
  held = false;
  /** No process has been ready here yet since the place was made. */
  fresh = true;
  /** Processes that were started here after the first one. */
  restarts = 0;
  /** Set while nobody is here: the next start. */
  timer: NodeJS.Timeout | null = null;
  crashLoop = false;
  readonly #watchers = new Set<(child: Child) => void>();

  constructor(role: SpawnedRole, index: number, name: string) {
    this.role = role;
    this.index = index;
    this.name = name;
  }

  /** For status: what is to be said about this place. */
  get state(): SlotState {
    if (this.child) return this.child.readySince === null ? 'starting' : 'ready';
    return this.crashLoop ? 'crashLoop' : 'waiting';
  }

  /** A process of this place is ready. */
  becameReady(child: Child): void {
    for (const watch of [...this.#watchers]) watch(child);
  }

  /**
   * Resolves with the process that is ready here and fits; null when there is none within `ms`, or when `givenUp` says that
   * there will be none.
   */
  untilReady(fits: (child: Child) => boolean, ms: number, givenUp?: Promise<unknown>): Promise<Child | null> {
    const { child } = this;
    if (child?.isReady && fits(child)) return Promise.resolve(child);
    return new Promise((resolve) => {
      const done = (found: Child | null): void => {
        clearTimeout(timer);
        this.#watchers.delete(watch);
        resolve(found);
      };
      const watch = (ready: Child): void => {
        if (fits(ready)) done(ready);
      };
      const timer = setTimeout(done, ms, null);
      this.#watchers.add(watch);
      void givenUp?.then(() => done(null));
    });
  }

  cancelRestart(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
  }
}

export type SlotState = 'starting' | 'ready' | 'waiting' | 'crashLoop';
