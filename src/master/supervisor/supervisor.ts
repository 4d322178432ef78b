/**
 * Keeps the children of the node: starts them, starts again the ones that die, ends them all.
 *
 *     starting   until every child is ready; the first failure is the failure of the start
 *     running    a child that dies is started again under its name and index, as the restart policy says
 *     stopping   no child is started any more
 *
 * A process can be replaced while it works (`replace.ts`): then two of one name are there for a while. Places of Workers
 * come and go (`worker-count.ts`).
 *
 * What children say to each other is not its business (`handlersOf`), and neither is when to stop.
 */

import type { Log } from '../../platform/log/log.js';
import { type Clock, msSince } from '../../shared/base/clock.js';
import { errorText, isErrorCode, SpushError } from '../../shared/base/errors.js';
import { childTitle, type SpawnedRole } from '../../shared/domain/role.js';
import type { ChildStats, LogConsole } from '../../shared/protocol/ipc.js';
import { Child, endText, type LifeNotes, type RelayHandlers } from './child.js';
import type { ChildEnd, SpawnProcess } from './child-process.js';
import type { Generators } from './generators.js';
import type { Restart } from './restart-policy.js';
import { Slot } from './slot.js';

/** A child that is neither ready nor gone after this is ended, and counts as dead. */
export const READY_DEADLINE_MS = 60_000;
/** The same for one that is to take the place of another: somebody waits, and the other one is there. */
export const NEXT_READY_DEADLINE_MS = 30_000;

export interface SupervisorOptions {
  readonly mode: string;
  readonly counts: Readonly<Record<SpawnedRole, number>>;
  readonly spawn: SpawnProcess;
  readonly generators: Generators;
  readonly clock: Clock;
  readonly log: Log;
  /** What is random of this start of the node. */
  readonly nodeRun: string;
  /** What standard output gets of the log. */
  readonly console: LogConsole;
  /** The plain configuration that a child gets now. */
  initConfig(): unknown;
  /** Whether bootstrap.ts has own jobs or tasks. */
  hasHooks(): boolean;
  handlersOf(child: Child): RelayHandlers;
  /** It hears what is said to it from now on. */
  onConnected(child: Child): void;
  onReady(child: Child): void;
  onEnded(child: Child, end: ChildEnd): void;
  onLastStats(child: Child, stats: ChildStats): void;
  /** What a stopping child waits for. */
  onWaiting(child: Child, what: string): void;
}

interface FirstStart {
  readonly resolve: () => void;
  readonly reject: (error: SpushError) => void;
}

export class Supervisor {
  #slots: readonly Slot[];
  readonly #options: SupervisorOptions;
  /** Every process that has not ended, the oldest first. */
  readonly #living = new Map<Child, Slot>();
  #firstStart: FirstStart | null = null;
  #stopping = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    const roles: SpawnedRole[] = ['worker', 'task', 'crontab'];
    this.#slots = roles.flatMap((role) =>
      Array.from(
        { length: options.counts[role] },
        (_, index) => new Slot(role, index, childTitle(options.mode, role, index)),
      ),
    );
  }

  get slots(): readonly Slot[] {
    return this.#slots;
  }

  /** Resolves when every child is ready; rejects with the reason of the first that is not going to be. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#firstStart = { resolve, reject };
      for (const slot of this.slots) slot.child = this.#spawn(slot);
    });
  }

  /** Those that run, ready or not. */
  living(): Child[] {
    return [...this.#living.keys()];
  }

  /** Those of a role that can be asked for something. */
  ready(role: SpawnedRole): Child[] {
    return this.living().filter((child) => child.role === role && child.isReady);
  }

  get isStopping(): boolean {
    return this.#stopping;
  }

  /** Every living process of this place, the one that has it first. */
  childrenOf(slot: Slot): Child[] {
    const others = [...this.#living].filter(([child, at]) => at === slot && child !== slot.child);
    return [...(slot.child ? [slot.child] : []), ...others.map(([child]) => child)];
  }

  /** The places of a role. */
  slotsOf(role: SpawnedRole): Slot[] {
    return this.slots.filter((slot) => slot.role === role);
  }

  /** A place after those of its role, in which nobody is started yet; whoever makes it releases it. */
  addSlot(role: SpawnedRole): Slot {
    const index = this.slotsOf(role).length;
    const slot = new Slot(role, index, childTitle(this.#options.mode, role, index));
    slot.held = true;
    const after = this.#slots.findLastIndex((each) => each.role === role) + 1;
    this.#slots = this.#slots.toSpliced(after, 0, slot);
    return slot;
  }

  /** The place is given up; nobody is started there any more. */
  removeSlot(slot: Slot): void {
    slot.held = true;
    slot.cancelRestart();
    this.#slots = this.#slots.filter((each) => each !== slot);
  }

  /** The place is looked after here again: if its process has ended meanwhile, another one is started. */
  release(slot: Slot): void {
    slot.held = false;
    if (this.#stopping || slot.child || slot.next || slot.timer) return;
    if (!slot.fresh) slot.restarts += 1;
    slot.child = this.#spawn(slot);
  }

  /**
   * Starts a process that is to take the place: when it is ready, or, where a Worker is at work, when it is promoted. Until
   * then, and when it fails, things stay as they are; when the one that has the place dies, it follows at once.
   */
  startNext(slot: Slot): Child {
    slot.cancelRestart();
    slot.next = this.#spawn(slot, NEXT_READY_DEADLINE_MS);
    return slot.next;
  }

  /** Gives it the place. False when it has ended. */
  promote(slot: Slot, child: Child): boolean {
    if (slot.child === child) return true;
    if (slot.next !== child) return false;
    slot.next = null;
    slot.child = child;
    if (!slot.fresh) slot.restarts += 1;
    slot.fresh = false;
    slot.becameReady(child);
    return true;
  }

  /** The process that was to take the place does not get it; it is ended by whoever says so. */
  dropNext(slot: Slot): void {
    slot.next = null;
  }

  /** From now on nobody is started again. */
  startNoMore(): void {
    this.#stopping = true;
    for (const slot of this.slots) slot.cancelRestart();
  }

  #spawn(slot: Slot, readyDeadlineMs = READY_DEADLINE_MS): Child {
    const options = this.#options;
    const { role, index, name } = slot;
    const generator = options.generators.take();
    const identity = { role, index, name, generator, startedAt: options.clock.now() };
    const child = new Child(identity, options.spawn(role, name), (self) => ({
      life: this.#lifeNotes(slot, self),
      relays: options.handlersOf(self),
      onFault: (error) => {
        const stack = error instanceof Error ? error.stack : undefined;
        options.log.error('child.badNote', { child: name, error: errorText(error), stack });
      },
    }));
    this.#living.set(child, slot);
    options.log.info('child.started', {
      child: name,
      childPid: child.pid,
      generator,
      restarts: slot.restarts,
    });
    const overdue = setTimeout(() => this.#giveUp(child, readyDeadlineMs), readyDeadlineMs);
    void child.ended.then((end) => {
      clearTimeout(overdue);
      this.#onEnd(slot, child, end);
    });
    return child;
  }

  #lifeNotes(slot: Slot, child: Child): LifeNotes {
    const { log, clock, initConfig, hasHooks, onConnected, onReady, onLastStats, onWaiting } = this.#options;
    return {
      hello: () => {
        const { role, index, generator } = child;
        child.hears = true;
        child.peer.note('init', {
          role,
          index,
          generator,
          config: initConfig(),
          hasHooks: hasHooks(),
          firstStart: this.#firstStart !== null,
          nodeRun: this.#options.nodeRun,
          console: this.#options.console,
        });
        onConnected(child);
      },
      ready: ({ version, hooks }) => {
        child.readySince = clock.moment();
        child.version = version ?? null;
        child.hooks = hooks ?? null;
        slot.crashLoop = false;
        if (slot.child === child) slot.fresh = false;
        else if (slot.role !== 'worker' || !slot.child) this.promote(slot, child);
        log.info('child.ready', { child: child.name, childPid: child.pid, version: child.version });
        onReady(child);
        this.#checkFirstStart();
        slot.becameReady(child);
      },
      failed: (failure) => {
        child.failure = failure;
        log.error('child.failed', { child: child.name, childPid: child.pid, ...failure });
      },
      waiting: ({ what }) => onWaiting(child, what),
      lastStats: (stats) => onLastStats(child, stats),
    };
  }

  #checkFirstStart(): void {
    if (!this.#firstStart || !this.slots.every(({ state }) => state === 'ready')) return;
    this.#firstStart.resolve();
    this.#firstStart = null;
  }

  #giveUp(child: Child, afterMs: number): void {
    if (child.readySince !== null) return;
    child.failure = {
      code: 'START_FAILED',
      message: `it was not ready within ${afterMs / 1000} s`,
    };
    this.#options.log.error('child.notReady', { child: child.name, childPid: child.pid, afterMs });
    child.kill('SIGKILL');
  }

  #onEnd(slot: Slot, child: Child, end: ChildEnd): void {
    const { log, clock, generators, onEnded } = this.#options;
    this.#living.delete(child);
    generators.giveBack(child.generator);
    const { exitCode, signal } = end;
    log.info('child.ended', { child: child.name, childPid: child.pid, exitCode, signal, how: endText(end) });
    onEnded(child, end);
    if (this.#firstStart) {
      this.#firstStart.reject(startFailure(child, end));
      this.#firstStart = null;
      this.startNoMore();
    }
    const had = slot.child === child;
    const wasNext = slot.next === child;
    if (had) slot.child = null;
    if (wasNext) slot.next = null;
    // A Worker that is ready and waited for connections: those are gone, the place is its own.
    if (had && slot.next?.isReady) this.promote(slot, slot.next);
    // One that was replaced, or one of two while the other is there, leaves no gap.
    if (this.#stopping || slot.held || !(had || wasNext) || slot.child || slot.next) return;
    const readyMs = child.readySince === null ? null : msSince(clock, child.readySince);
    this.#startLater(slot, slot.policy.afterDeath({ at: clock.moment(), readyMs, exitCode, signal }));
  }

  #startLater(slot: Slot, { delayMs, crashLoop }: Restart): void {
    const { log } = this.#options;
    slot.crashLoop = crashLoop;
    const fields = { child: slot.name, delayMs, restarts: slot.restarts };
    if (crashLoop) log.error('child.crashLoop', fields);
    else log.warn('child.startsAgain', fields);
    slot.timer = setTimeout(() => {
      slot.timer = null;
      slot.restarts += 1;
      slot.child = this.#spawn(slot);
    }, delayMs);
  }
}

function startFailure(child: Child, end: ChildEnd): SpushError {
  const { failure } = child;
  if (!failure) return new SpushError('START_FAILED', `${child.name} did not start: ${endText(end)}`);
  const code = isErrorCode(failure.code) ? failure.code : 'START_FAILED';
  return new SpushError(code, `${child.name} did not start: ${failure.message}`);
}
