/**
 * Puts a new process in the place of one that works. The new one is started first. A Worker's successor has the place when
 * the connections have been moved to it; until then the old one has it:
 *
 *     start next -> ready -> move the connections -> promote -> stop the old one
 *
 * One that does not come up, or does not take the connections, changes nothing: the old one goes on. A TaskWorker's
 * successor has the place when it is ready, and the old one finishes its tasks.
 *
 * Of the CrontabScheduler there are never two, or jobs would fire twice: there the old one ends first.
 */
import type { Log } from '../../platform/log/log.js';
import { type Clock, msSince } from '../../shared/base/clock.js';
import { errorText, SpushError } from '../../shared/base/errors.js';
import type { MoveProgress } from '../handoff/move.js';
import { type Moved, movedOf, NOTHING_MOVED } from '../handoff/moved.js';
import type { Mover } from '../handoff/mover.js';
import { stay } from '../handoff/stay.js';
import type { Child } from './child.js';
import type { Slot } from './slot.js';
import { assertGoesOn, startNext } from './start-next.js';
import { stopChildren } from './stop-children.js';
import type { Supervisor } from './supervisor.js';

export interface ReplaceDeps {
  readonly supervisor: Pick<Supervisor, 'startNext' | 'promote' | 'dropNext' | 'isStopping'>;
  readonly mover: Pick<Mover, 'move'>;
  readonly deadlineMs: () => number;
  /** This process gets no new work from now on. */
  readonly onLeaving: (child: Child) => void;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Replaced extends Moved {
  readonly child: Child;
  /** Unix ms: when the old process was told to go; null when nobody was here. */
  readonly toldAt: number | null;
  /** How long it took to go; null when nobody was here, or it cannot end. */
  readonly endedAfterMs: number | null;
}

export type ReplaceProgress = MoveProgress;

type Ended = Pick<Replaced, 'toldAt' | 'endedAfterMs'>;

export class Replacer {
  readonly #deps: ReplaceDeps;

  constructor(deps: ReplaceDeps) {
    this.#deps = deps;
  }

  /** Resolves when the new process has the place and the old one has gone; rejects with RELOAD_FAILED. */
  async replace(slot: Slot, reason: string, progress: ReplaceProgress): Promise<Replaced> {
    const old = slot.child;
    if (old && slot.role === 'crontab') return this.#replaceAfterEnd(slot, old, { reason, progress });
    const child = await this.#startNext(slot);
    const moved = await this.#handOver(slot, { old, next: child }, progress);
    return { child, ...moved, ...(await this.#end(old, { reason, progress })) };
  }

  async #replaceAfterEnd(
    slot: Slot,
    old: Child,
    options: { reason: string; progress: ReplaceProgress },
  ): Promise<Replaced> {
    slot.held = true;
    try {
      const ended = await this.#end(old, options);
      const next = this.#startNext(slot);
      slot.held = false;
      return { child: await next, ...NOTHING_MOVED, ...ended };
    } finally {
      slot.held = false;
    }
  }

  #startNext(slot: Slot): Promise<Child> {
    return startNext(this.#deps.supervisor, slot, () =>
      slot.child ? 'the process that was there goes on' : 'it is tried again',
    );
  }

  /** The new process has the place afterwards. */
  async #handOver(
    slot: Slot,
    { old, next }: { old: Child | null; next: Child },
    progress: ReplaceProgress,
  ): Promise<Moved> {
    const { supervisor, mover, onLeaving, log } = this.#deps;
    // Without an old one it has the place already: it is a TaskWorker's, or the old one has died.
    if (!old || slot.child !== old) return NOTHING_MOVED;
    onLeaving(old);
    let moved = NOTHING_MOVED;
    try {
      if (old.isReady) moved = movedOf(await mover.move({ from: old, targets: [next], progress }));
      if (supervisor.promote(slot, next)) return moved;
      throw new SpushError('RELOAD_FAILED', `the new ${next.name} (pid ${next.pid}) has ended meanwhile`);
    } catch (error) {
      assertGoesOn(supervisor);
      log.error('handoff.failed', { child: next.name, childPid: next.pid, error: errorText(error) });
      if (slot.child === next) {
        // The old one has died meanwhile: then this one stays, whatever it was told.
        await stay(next, log);
        return moved;
      }
      supervisor.dropNext(slot);
      await stay(old, log);
      await this.#end(next, { reason: 'it did not take the connections', progress });
      throw error;
    }
  }

  async #end(
    old: Child | null,
    { reason, progress }: { reason: string; progress: ReplaceProgress },
  ): Promise<Ended> {
    const { clock, log, deadlineMs, onLeaving } = this.#deps;
    if (!old) return { toldAt: null, endedAfterMs: null };
    onLeaving(old);
    const [toldAt, told] = [clock.now(), clock.moment()];
    let endedAfterMs: number | null = null;
    void old.ended.then(() => {
      endedAfterMs = msSince(clock, told);
    });
    await stopChildren([old], { reason, deadlineMs: deadlineMs(), closing: 'process', log, progress });
    return { toldAt, endedAfterMs };
  }
}
