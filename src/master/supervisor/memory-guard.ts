/**
 * Workers that use more memory than WorkerMemoryMax: each is replaced, its connections stay. When somebody else replaces
 * processes, that comes first. A fresh one that is above the limit soon again is not to blame, and replacing it does not
 * help: then the limit is too low, or what is there needs that much, and that is said.
 */
import type { Log } from '../../platform/log/log.js';
import { type Clock, type Moment, msSince } from '../../shared/base/clock.js';
import { errorText } from '../../shared/base/errors.js';
import type { ToMaster } from '../../shared/protocol/ipc.js';
import { movedText } from '../handoff/moved.js';
import type { Child } from './child.js';
import type { OneAtATime } from './one-at-a-time.js';
import type { Replacer } from './replace.js';
import type { Supervisor } from './supervisor.js';

/** One place is replaced for its memory no more often than this. */
export const MEMORY_REPLACE_EVERY_MS = 600_000;
/** Somebody else replaces processes: it is asked again after this. */
export const MEMORY_RETRY_MS = 30_000;

export interface MemoryGuardDeps {
  readonly supervisor: Pick<Supervisor, 'slotsOf' | 'isStopping'>;
  readonly replacer: Pick<Replacer, 'replace'>;
  readonly replacing: OneAtATime;
  readonly clock: Pick<Clock, 'moment'>;
  readonly log: Log;
}

type MemoryUse = ToMaster['notes']['memory.above'];

/** Of one place. */
interface Past {
  /** Of the last replacement, whether it came off or not. */
  readonly at: Moment;
  warned: boolean;
}

export class MemoryGuard {
  readonly #deps: MemoryGuardDeps;
  readonly #past = new Map<string, Past>();
  /** Those that are asked about again. */
  readonly #waiting = new Map<Child, NodeJS.Timeout>();

  constructor(deps: MemoryGuardDeps) {
    this.#deps = deps;
  }

  /** Resolves when nothing is left to do about it for now; never rejects. */
  async above(child: Child, use: MemoryUse): Promise<void> {
    const { supervisor, replacer, replacing, clock, log } = this.#deps;
    const slot = supervisor.slotsOf('worker').find((each) => each.child === child);
    if (!slot || !child.isReady || supervisor.isStopping || this.#waiting.has(child)) return;
    const fields = { child: child.name, childPid: child.pid, ...use };
    if (replacing.isRunning) {
      this.#askAgain(child, use);
      return;
    }
    const past = this.#past.get(slot.name);
    if (past && msSince(clock, past.at) < MEMORY_REPLACE_EVERY_MS) {
      if (!past.warned) log.warn('memory.aboveAgain', { ...fields, everyMs: MEMORY_REPLACE_EVERY_MS });
      past.warned = true;
      return;
    }
    this.#past.set(slot.name, { at: clock.moment(), warned: false });
    log.warn('memory.above', fields);
    try {
      const replaced = await replacing.run('the replacement of a Worker that uses too much memory', () =>
        replacer.replace(slot, 'it uses too much memory', () => {}),
      );
      log.info('memory.replaced', {
        child: slot.name,
        childPid: replaced.child.pid,
        how: movedText(replaced),
      });
    } catch (error) {
      log.error('memory.notReplaced', { ...fields, error: errorText(error) });
    }
  }

  #askAgain(child: Child, use: MemoryUse): void {
    const timer = setTimeout(() => {
      this.#waiting.delete(child);
      void this.above(child, use);
    }, MEMORY_RETRY_MS);
    timer.unref();
    this.#waiting.set(child, timer);
  }
}
