/**
 * How many Workers there are. More: each new one is started and has to be ready. Fewer: those with the highest numbers hand
 * their connections to the others, and end. When either fails, there are as many as before.
 */
import type { Log } from '../../platform/log/log.js';
import { errorText, SpushError } from '../../shared/base/errors.js';
import { shortGroup } from '../../shared/domain/role.js';
import { addMoved, type Moved, movedOf, movedText, NOTHING_MOVED } from '../handoff/moved.js';
import type { Mover } from '../handoff/mover.js';
import { stay } from '../handoff/stay.js';
import type { Child } from './child.js';
import type { ReplaceProgress } from './replace.js';
import type { Slot } from './slot.js';
import { assertGoesOn, startNext } from './start-next.js';
import { stopChildren } from './stop-children.js';
import type { Supervisor } from './supervisor.js';

export interface WorkerCountDeps {
  readonly supervisor: Pick<
    Supervisor,
    'slotsOf' | 'addSlot' | 'removeSlot' | 'release' | 'startNext' | 'isStopping'
  >;
  readonly mover: Pick<Mover, 'move'>;
  /** This Worker gets no new connections from now on. */
  readonly onLeaving: (child: Child) => void;
  readonly deadlineMs: () => number;
  readonly log: Log;
}

export class WorkerCount {
  readonly #deps: WorkerCountDeps;

  constructor(deps: WorkerCountDeps) {
    this.#deps = deps;
  }

  get now(): number {
    return this.#slots().length;
  }

  /** Resolves when there are so many; rejects with RELOAD_FAILED, and then there are as many as before. */
  async change(to: number, progress: ReplaceProgress): Promise<Moved> {
    const before = this.now;
    try {
      return await this.#change(to, progress);
    } catch (error) {
      assertGoesOn(this.#deps.supervisor);
      await this.#goBack(before, progress);
      throw error;
    }
  }

  async #change(to: number, progress: ReplaceProgress): Promise<Moved> {
    let moved = NOTHING_MOVED;
    while (this.now < to) await this.#add(progress);
    while (this.now > to) moved = addMoved(moved, await this.#removeLast(to, progress));
    return moved;
  }

  async #goBack(to: number, progress: ReplaceProgress): Promise<void> {
    try {
      await this.#change(to, progress);
    } catch (error) {
      this.#deps.log.error('workers.notBack', { workers: this.now, before: to, error: errorText(error) });
    }
  }

  async #add(progress: ReplaceProgress): Promise<void> {
    const { supervisor } = this.#deps;
    const slot = supervisor.addSlot('worker');
    try {
      const child = await startNext(supervisor, slot, () => 'there are as many Workers as before');
      supervisor.release(slot);
      progress(`${shortName(slot)} started (${this.now})`, { pid: child.pid });
    } catch (error) {
      supervisor.removeSlot(slot);
      throw error;
    }
  }

  async #removeLast(to: number, progress: ReplaceProgress): Promise<Moved> {
    const { supervisor } = this.#deps;
    const slots = this.#slots();
    const slot = slots.at(-1);
    if (!slot) return NOTHING_MOVED;
    slot.held = true;
    slot.cancelRestart();
    try {
      const moved = slot.child ? await this.#empty(slot.child, slots.slice(0, to), progress) : NOTHING_MOVED;
      supervisor.removeSlot(slot);
      progress(`${shortName(slot)} ended (${this.now}): ${movedText(moved)}`, { ...moved });
      return moved;
    } catch (error) {
      supervisor.release(slot);
      throw error;
    }
  }

  /** Ends a Worker whose connections go to the others. */
  async #empty(child: Child, others: readonly Slot[], progress: ReplaceProgress): Promise<Moved> {
    const { log, deadlineMs } = this.#deps;
    const moved = child.isReady ? await this.#handOver(child, others, progress) : NOTHING_MOVED;
    const reason = 'there are to be fewer Workers';
    await stopChildren([child], { reason, deadlineMs: deadlineMs(), closing: 'process', log, progress });
    return moved;
  }

  async #handOver(child: Child, others: readonly Slot[], progress: ReplaceProgress): Promise<Moved> {
    const { mover, onLeaving, log } = this.#deps;
    const targets = others.flatMap((slot) => (slot.child?.isReady ? [slot.child] : []));
    if (targets.length === 0) {
      throw new SpushError(
        'RELOAD_FAILED',
        `no other Worker is ready to take the connections of ${child.name}`,
      );
    }
    onLeaving(child);
    try {
      return movedOf(await mover.move({ from: child, targets, progress, afterStall: 'stays' }));
    } catch (error) {
      await stay(child, log);
      throw error;
    }
  }

  #slots(): Slot[] {
    return this.#deps.supervisor.slotsOf('worker');
  }
}

function shortName({ role, index }: Slot): string {
  return `${shortGroup(role)}.${index}`;
}
