/**
 * One Worker's leaving: how far it is, whom its sessions go to, and how it ends. It says nothing to anybody; that is the
 * mover's.
 *
 *     open      sessions are announced and handed over
 *     closed    it has an ending: nothing is handed over any more
 */
import { type Clock, type Moment, msSince } from '../../shared/base/clock.js';
import { counted } from '../../shared/base/counted.js';
import { shortGroup } from '../../shared/domain/role.js';
import type { ClosedByReason, LeaveResult } from '../../shared/protocol/handoff.js';
import type { ToMaster } from '../../shared/protocol/ipc.js';
import { type Moved, type MoveResult, movedOf, pauseText, reasonsText } from './moved.js';
import type { MovingWorker } from './moving-worker.js';
import { Patience } from './patience.js';

/** A target that owes a word and says none for so long is suspended or hangs. */
export const STALL_MS = 3000;
/** A leaver that neither hands over nor says that it is done; it may wait for slow clients, but not for ever. */
export const LEAVER_SILENT_MS = 30_000;
/** The person who waits hears of the progress no more often than this. */
export const PROGRESS_EVERY_MS = 500;

export type MoveProgress = (text: string, detail?: Readonly<Record<string, unknown>>) => void;

export interface MoveOptions {
  readonly from: MovingWorker;
  /** Ready Workers. */
  readonly targets: readonly MovingWorker[];
  readonly progress: MoveProgress;
  readonly afterStall?: AfterStall;
}

/**
 * What is done with a target that stalled, beside waking it. `bringBack`: what it has taken goes back to the leaver; one that
 * does not wake is killed. `stays`: it keeps what it has taken; one that does not wake is killed. `wake`: nothing else.
 */
export type AfterStall = 'bringBack' | 'stays' | 'wake';

export type MoveEnding =
  | { readonly kind: 'done'; readonly closed: ClosedByReason; readonly left: number }
  | { readonly kind: 'leaverEnded' }
  | { readonly kind: 'leaverSilent' }
  | { readonly kind: 'targetEnded'; readonly target: MovingWorker }
  | { readonly kind: 'targetStalled'; readonly target: MovingWorker }
  | { readonly kind: 'leaveFailed'; readonly error: unknown };

interface Target {
  readonly patience: Patience;
  /** Sessions given to it so far, announced ones included. */
  given: number;
  expectsUnderWay: number;
}

export class Move {
  readonly from: MovingWorker;
  readonly afterStall: AfterStall;
  readonly ending: Promise<MoveEnding>;
  readonly #targets = new Map<MovingWorker, Target>();
  readonly #leaver = new Patience(LEAVER_SILENT_MS, () => this.end({ kind: 'leaverSilent' }));
  readonly #progress: MoveProgress;
  readonly #clock: Pick<Clock, 'moment'>;
  #end: (ending: MoveEnding) => void = () => {};
  #open = true;
  #answer: LeaveResult | null = null;
  #moved = 0;
  /** Connections that it had to hand over, as far as it has said. */
  #total: number | null = null;
  #longestPauseMs = 0;
  #toldAt: Moment;
  #hasTold = false;
  #refused = 0;

  constructor(
    { from, targets, progress, afterStall = 'bringBack' }: MoveOptions,
    clock: Pick<Clock, 'moment'>,
  ) {
    this.from = from;
    this.afterStall = afterStall;
    this.#progress = progress;
    this.#clock = clock;
    // Starts now, so that a move shorter than PROGRESS_EVERY_MS reports nothing itself: the caller reports its result.
    this.#toldAt = clock.moment();
    this.ending = new Promise((resolve) => {
      this.#end = resolve;
    });
    for (const target of targets) {
      const patience = new Patience(STALL_MS, () => this.end({ kind: 'targetStalled', target }));
      this.#targets.set(target, { patience, given: 0, expectsUnderWay: 0 });
    }
    this.#leaver.renew();
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Those that are left. */
  get targets(): MovingWorker[] {
    return [...this.#targets.keys()];
  }

  get moved(): number {
    return this.#moved;
  }

  /** The target that was given least; null when none is left. */
  choose(): MovingWorker | null {
    let chosen: MovingWorker | null = null;
    let least = Number.POSITIVE_INFINITY;
    for (const [target, { given }] of this.#targets) {
      if (given < least) [chosen, least] = [target, given];
    }
    return chosen;
  }

  /** It is asked to expect so many sessions. */
  asks(target: MovingWorker, sessions: number): void {
    const state = this.#targets.get(target);
    if (!state) return;
    state.given += sessions;
    state.expectsUnderWay += 1;
    state.patience.begin();
  }

  /** It has answered, or is gone. */
  asked(target: MovingWorker, handed: number): void {
    const state = this.#targets.get(target);
    if (!state) return;
    state.expectsUnderWay -= 1;
    this.heardTarget(target, handed);
  }

  /** It was handed a session, and owes a word for it. */
  handed(target: MovingWorker): void {
    if (this.#open) this.#targets.get(target)?.patience.begin();
  }

  /** @param handed sessions for which it still owes a word */
  heardTarget(target: MovingWorker, handed: number): void {
    const state = this.#targets.get(target);
    if (!state || !this.#open) return;
    if (handed + state.expectsUnderWay > 0) state.patience.renew();
    else state.patience.rest();
    this.#leaver.renew();
  }

  heardLeaver(): void {
    if (this.#open) this.#leaver.renew();
  }

  /** True when it was one of the targets, and the last. */
  lose(target: MovingWorker): boolean {
    const state = this.#targets.get(target);
    if (!state) return false;
    state.patience.rest();
    this.#targets.delete(target);
    return this.#targets.size === 0;
  }

  adopted(pausedMs: number): void {
    this.#moved += 1;
    this.#longestPauseMs = Math.max(this.#longestPauseMs, pausedMs);
    this.#tell();
  }

  /** True for the first: the others are likely to have the same reason. */
  refused(): boolean {
    this.#refused += 1;
    return this.#refused === 1;
  }

  remains({ remaining, gone }: ToMaster['notes']['handoff.remaining']): void {
    this.#total = remaining + gone;
    this.#tell();
  }

  /** The leaver has said that it is done; the move is, when nothing is on its way. */
  answered(answer: LeaveResult, handed: number): void {
    this.#answer = answer;
    this.check(handed);
  }

  check(handed: number): void {
    if (this.#answer && handed === 0) this.end({ kind: 'done', ...this.#answer });
  }

  /** The first ending counts. */
  end(ending: MoveEnding): void {
    if (!this.#open) return;
    this.#open = false;
    this.#leaver.rest();
    for (const { patience } of this.#targets.values()) patience.rest();
    if (ending.kind === 'done') this.#tellResult(movedOf(this.result(ending)));
    this.#end(ending);
  }

  result(ending: MoveEnding): MoveResult {
    const { closed, left } =
      ending.kind === 'done' ? ending : { closed: {}, left: Math.max(0, (this.#total ?? 0) - this.#moved) };
    return { kept: this.#moved, closed, longestPauseMs: this.#longestPauseMs, left };
  }

  #tell(): void {
    const isSoon = msSince(this.#clock, this.#toldAt) < PROGRESS_EVERY_MS;
    if (!this.#open || this.#total === null || isSoon) return;
    this.#toldAt = this.#clock.moment();
    this.#hasTold = true;
    const [moved, longestPauseMs] = [this.#moved, this.#longestPauseMs];
    const total = this.#total;
    this.#progress(`${this.#said(total)}, ${pauseText(longestPauseMs)}`, { moved, total, longestPauseMs });
  }

  /** Only when progress was reported: then the last line must be the result, not a count in the middle. */
  #tellResult({ kept: moved, closed, closedBy, longestPauseMs }: Moved): void {
    const total = moved + closed;
    if (total === 0 || !this.#hasTold) return;
    const closedText = closed === 0 ? '' : `, closed ${closed} (${reasonsText(closedBy)})`;
    const detail = { moved, total, closed, longestPauseMs };
    this.#progress(`${this.#said(total)}${closedText}, ${pauseText(longestPauseMs)}`, detail);
  }

  #said(total: number): string {
    const who = `${shortGroup(this.from.role)}.${this.from.index}`;
    return `${who}: moved ${this.#moved} of ${counted(total, 'connection')}`;
  }
}
