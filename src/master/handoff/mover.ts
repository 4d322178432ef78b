/**
 * Moves the connections of one Worker to one or several others: passes on what they say (protocol/handoff.ts has the
 * sequence), knows which session is on its way to whom, and winds up when one of them ends or hangs in the middle.
 *
 * Promises: a session has one owner. It goes back to the leaver when the target has refused it, has answered a later
 * question without a word of it, or has ended, never because of time alone: a target that hangs may have taken it, and is
 * ended first. Of each handle one copy is closed here.
 *
 * Who starts and ends processes is not its business, except that it wakes a target that was suspended, and kills one that
 * does not wake.
 */
import type { Log } from '../../platform/log/log.js';
import type { SentHandle } from '../../platform/rpc/peer.js';
import { assert, assertNever } from '../../shared/base/assert.js';
import type { Clock } from '../../shared/base/clock.js';
import { errorText, isSpushError, SpushError } from '../../shared/base/errors.js';
import type { ExpectedSession, TravellingSession } from '../../shared/protocol/handoff.js';
import type { ToMaster } from '../../shared/protocol/ipc.js';
import type { PermitDesk } from '../permits/permit-desk.js';
import { endText } from '../supervisor/child.js';
import { HandleCopies } from './handle-copies.js';
import { Move, type MoveEnding, type MoveOptions, STALL_MS } from './move.js';
import type { MoveResult } from './moved.js';
import type { MovingWorker } from './moving-worker.js';
import { Patience } from './patience.js';
import { type Traveller, Travellers } from './travellers.js';

/** Leaving ends by its own rules long before; no call is without a deadline. */
const LEAVE_MS = 3_600_000;
/** A target that does not answer has stalled long before. */
const EXPECT_MS = 60_000;
/** A leaver that was told to stop handing over says that it has; it is not waited for any longer than this. */
const ABORTED_MS = 3000;
/** One that was woken answers within this, or not at all. */
const POKE_MS = 5000;
/** A killed process that is still there after this hangs in the kernel; it is not waited for. */
const KILLED_MS = 5000;

export interface MoverDeps {
  readonly permits: Pick<PermitDesk, 'move'>;
  readonly clock: Pick<Clock, 'moment'>;
  readonly log: Log;
}

export class Mover {
  readonly #deps: MoverDeps;
  readonly #moves = new Map<MovingWorker, Move>();
  readonly #travellers = new Travellers();
  readonly #copies = new HandleCopies<MovingWorker>();
  readonly #wordListeners = new Map<MovingWorker, () => void>();

  constructor(deps: MoverDeps) {
    this.#deps = deps;
  }

  /**
   * Resolves when the leaver has nothing left to hand over and nothing is on its way, or when it has ended or says nothing
   * any more. Rejects with RELOAD_FAILED when the targets have ended or one of them stalled; then the leaver serves what it
   * has.
   */
  async move(options: MoveOptions): Promise<MoveResult> {
    const { from } = options;
    assert(!this.#moves.has(from), `${from.name} leaves already`);
    const move = new Move(options, this.#deps.clock);
    this.#moves.set(from, move);
    const left = this.#leave(move);
    try {
      return await this.#wound(move, await move.ending, left);
    } finally {
      this.#moves.delete(from);
    }
  }

  /** A leaver announces sessions. Resolves when the one who gets them knows. */
  async expect(
    leaver: MovingWorker,
    { sessions }: { sessions: readonly ExpectedSession[] },
  ): Promise<Record<string, never>> {
    this.#heard(leaver);
    const move = this.#moves.get(leaver);
    for (;;) {
      const target = move?.isOpen ? move.choose() : null;
      if (!move || !target)
        throw new SpushError('RELOAD_FAILED', `nobody takes connections of ${leaver.name}`);
      for (const { id } of sessions) this.#travellers.announce(id, leaver, target);
      move.asks(target, sessions.length);
      try {
        await target.peer.call('handoff.expect', { sessions }, { deadlineMs: EXPECT_MS });
        this.#heard(target);
        move.asked(target, this.#travellers.handedTo(target));
        if (move.isOpen) return {};
      } catch (error) {
        move.asked(target, this.#travellers.handedTo(target));
        for (const { id } of sessions) {
          const traveller = this.#travellers.get(id);
          if (traveller?.target === target && !traveller.handed) this.#travellers.forget(traveller);
        }
        if (!isSpushError(error, 'RPC_PEER_GONE')) throw error;
        // It has ended, which is heard of in a moment: with another target the leaver need not know.
        if (move.lose(target)) move.end({ kind: 'targetEnded', target });
      }
    }
  }

  /** A leaver hands over a session. */
  session(leaver: MovingWorker, session: TravellingSession, handle: SentHandle): void {
    const { id } = session;
    this.#heard(leaver);
    const traveller = this.#travellers.get(id);
    if (traveller?.leaver === leaver && traveller.handed) {
      // The target has it: a second owner would be told by `returned`.
      this.#deps.log.error('handoff.handedTwice', { from: leaver.name, session: id });
      handle.close();
      return;
    }
    const move = this.#moves.get(leaver);
    if (traveller?.leaver !== leaver || !move?.isOpen) {
      handle.close();
      leaver.peer.note('handoff.returned', { ids: [id] });
      return;
    }
    const { target } = traveller;
    this.#travellers.hand(traveller, session.holdsVisitorPlace);
    this.#copies.keep(target, handle);
    move.handed(target);
    // When it was not taken the target is ending, or hangs: either is noticed, and then the session goes back.
    target.peer.hand('handoff.session', session, handle, () => this.#copies.taken(target, handle));
  }

  remaining(leaver: MovingWorker, said: ToMaster['notes']['handoff.remaining']): void {
    this.#heard(leaver);
    this.#moves.get(leaver)?.remains(said);
  }

  adopted(target: MovingWorker, { id, pausedMs }: { id: string; pausedMs: number }): void {
    const { permits, log } = this.#deps;
    const traveller = this.#arrived(target, id);
    if (!traveller) {
      log.error('handoff.strayAdopted', { target: target.name, session: id });
      return;
    }
    const { leaver, holdsVisitorPlace } = traveller;
    permits.move('links', leaver, target);
    if (holdsVisitorPlace) permits.move('visitors', leaver, target);
    leaver.peer.note('handoff.adopted', { id });
    this.#moves.get(leaver)?.adopted(pausedMs);
    this.#settled(traveller);
  }

  refused(target: MovingWorker, { id, reason }: { id: string; reason: string }): void {
    const traveller = this.#arrived(target, id);
    if (!traveller) return;
    if (this.#moves.get(traveller.leaver)?.refused()) {
      this.#deps.log.warn('handoff.refused', { target: target.name, session: id, reason });
    }
    traveller.leaver.peer.note('handoff.returned', { ids: [id] });
    this.#settled(traveller);
  }

  /** Announced sessions of this leaver will not come. */
  cancel(leaver: MovingWorker, { ids }: { ids: readonly string[] }): void {
    this.#heard(leaver);
    const announced = ids.flatMap((id) => {
      const traveller = this.#travellers.get(id);
      return traveller?.leaver === leaver && !traveller.handed ? [traveller] : [];
    });
    this.#cancelAtTargets(announced);
    for (const traveller of announced) this.#travellers.forget(traveller);
  }

  /**
   * Which of these a leaver has handed over, but not here: a message with a handle is lost when there is no descriptor for
   * it. Words before this one were heard before, so what is not here will not come.
   */
  unknown(leaver: MovingWorker, { ids }: { ids: readonly string[] }): { ids: string[] } {
    const lost = ids.filter((id) => {
      const traveller = this.#travellers.get(id);
      return !(traveller?.leaver === leaver && traveller.handed);
    });
    this.cancel(leaver, { ids: lost });
    return { ids: lost };
  }

  /** It has ended, and its last word has been heard. */
  ended(child: MovingWorker): void {
    this.#copies.targetEnded(child);
    const back = this.#travellers.find(({ target }) => target === child);
    for (const traveller of back) this.#travellers.forget(traveller);
    for (const [leaver, ids] of idsBy(back, ({ leaver }) => leaver)) {
      leaver.peer.note('handoff.returned', { ids });
    }
    const orphans = this.#travellers.find(({ leaver }) => leaver === child);
    this.#cancelAtTargets(orphans);
    // One that was handed may be adopted all the same, and its permits are booked then.
    for (const traveller of orphans) if (!traveller.handed) this.#travellers.forget(traveller);
    for (const move of this.#moves.values()) {
      if (move.from === child) move.end({ kind: 'leaverEnded' });
      else if (move.lose(child)) move.end({ kind: 'targetEnded', target: child });
      else move.check(this.#travellers.handedFrom(move.from));
    }
    this.#heard(child);
  }

  /** Resolves when the leaver has answered, however. */
  async #leave(move: Move): Promise<void> {
    const { from } = move;
    try {
      const answer = await from.peer.call('handoff.leave', {}, { deadlineMs: LEAVE_MS });
      this.#heard(from);
      move.answered(answer, this.#travellers.handedFrom(from));
    } catch (error) {
      const hasEnded = isSpushError(error, 'RPC_PEER_GONE');
      move.end(hasEnded ? { kind: 'leaverEnded' } : { kind: 'leaveFailed', error });
    }
  }

  async #wound(move: Move, ending: MoveEnding, left: Promise<void>): Promise<MoveResult> {
    const { from } = move;
    switch (ending.kind) {
      case 'done':
        this.#dropAnnounced(from);
        return move.result(ending);
      case 'leaverEnded':
        return move.result(ending);
      case 'leaverSilent':
        this.#deps.log.warn('handoff.leaverSilent', { from: from.name, fromPid: from.pid });
        this.#abort(from);
        return move.result(ending);
      case 'leaveFailed': {
        this.#abort(from);
        const brought = await this.#bringAllBack(move);
        throw new SpushError(
          'RELOAD_FAILED',
          `${who(from)} could not hand its connections over: ${errorText(ending.error)}${brought}`,
          { cause: ending.error },
        );
      }
      case 'targetEnded': {
        this.#abort(from);
        // A channel may close a while before its process has gone.
        const end = await within(ending.target.ended, KILLED_MS);
        const why = end ? endText(end) : 'its channel is closed';
        await within(left, ABORTED_MS);
        throw new SpushError(
          'RELOAD_FAILED',
          `${who(ending.target)} ended while connections were handed to it: ${why}; ${move.moved} that it had taken ended with it, all others stay with ${who(from)}`,
        );
      }
      case 'targetStalled': {
        const { target } = ending;
        this.#abort(from);
        const end = await this.#endStall(move, target);
        throw new SpushError(
          'RELOAD_FAILED',
          `${who(target)} did not go on for ${STALL_MS / 1000} s while connections were handed to it${end}; the others stay with ${who(from)}`,
        );
      }
      default:
        return assertNever(ending);
    }
  }

  /** The leaver hands over no more. */
  #abort(from: MovingWorker): void {
    from.peer.note('handoff.abort', {});
    this.#dropAnnounced(from);
  }

  #dropAnnounced(leaver: MovingWorker): void {
    const announced = this.#travellers.find((each) => each.leaver === leaver && !each.handed);
    this.#cancelAtTargets(announced);
    for (const traveller of announced) this.#travellers.forget(traveller);
  }

  /** Wakes the target; what it has goes back to where it came from. One that does not wake is killed. In words. */
  async #endStall({ from, afterStall }: Move, target: MovingWorker): Promise<string> {
    const { log } = this.#deps;
    const fields = { target: target.name, targetPid: target.pid, from: from.name, fromPid: from.pid };
    log.error('handoff.stalled', { ...fields, handed: this.#travellers.handedTo(target) });
    const wakes = this.#firstWord(target);
    target.kill('SIGCONT');
    const back = afterStall === 'bringBack' ? this.#bringBack(target, from) : this.#poke(target);
    if (await wakes) {
      const brought = await back;
      return brought === null ? '' : `; ${brought} that it had taken were brought back`;
    }
    if (afterStall === 'wake') return '';
    log.error('handoff.stalledKilled', fields);
    target.kill('SIGKILL');
    await within(target.ended, KILLED_MS);
    await back;
    return ' and was killed';
  }

  /**
   * One that is awake answers, also when it has nothing to say: a message with a handle is lost when its receiver is out of
   * descriptors. What was handed before it was asked, and of which it has said nothing before its answer, it never got.
   */
  async #poke(target: MovingWorker): Promise<null> {
    const handed = this.#travellers.find((each) => each.target === target && each.handed);
    try {
      await target.peer.call('handoff.expect', { sessions: [] }, { deadlineMs: POKE_MS });
      this.#heard(target);
      this.#giveBack(handed.filter((each) => this.#travellers.get(each.id) === each));
    } catch (error) {
      this.#deps.log.debug('handoff.noAnswer', { target: target.name, error: errorText(error) });
    }
    return null;
  }

  /** What a target has that will not stay. In words. */
  async #bringAllBack({ from, afterStall, targets, moved }: Move): Promise<string> {
    if (afterStall !== 'bringBack' || moved === 0) return '';
    let brought = 0;
    for (const target of targets) brought += (await this.#bringBack(target, from)) ?? 0;
    return `; ${brought} that were moved were brought back`;
  }

  /** The same with the roles swapped. Answers how many came back; null when that failed, too. */
  async #bringBack(from: MovingWorker, to: MovingWorker): Promise<number | null> {
    try {
      const { kept } = await this.move({ from, targets: [to], progress: () => {}, afterStall: 'wake' });
      return kept;
    } catch (error) {
      this.#deps.log.error('handoff.notBroughtBack', {
        from: from.name,
        to: to.name,
        error: errorText(error),
      });
      return null;
    }
  }

  /** Resolves with true at the first word of this Worker (or its end), with false when it says none in time. */
  #firstWord(worker: MovingWorker): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (heard: boolean): void => {
        patience.rest();
        this.#wordListeners.delete(worker);
        resolve(heard);
      };
      const patience = new Patience(STALL_MS, () => done(false));
      patience.renew();
      this.#wordListeners.set(worker, () => done(true));
    });
  }

  #heard(worker: MovingWorker): void {
    this.#wordListeners.get(worker)?.();
    this.#moves.get(worker)?.heardLeaver();
  }

  /** A target's word about a session that was handed to it. */
  #arrived(target: MovingWorker, id: string): Traveller | null {
    this.#heard(target);
    const traveller = this.#travellers.get(id);
    if (!traveller?.handed || traveller.target !== target) return null;
    this.#travellers.forget(traveller);
    return traveller;
  }

  #settled({ leaver, target }: Traveller): void {
    const move = this.#moves.get(leaver);
    move?.heardTarget(target, this.#travellers.handedTo(target));
    move?.check(this.#travellers.handedFrom(leaver));
  }

  /** They did not get to their target, which need not wait for them. */
  #giveBack(lost: readonly Traveller[]): void {
    this.#cancelAtTargets(lost);
    for (const traveller of lost) this.#travellers.forget(traveller);
    for (const [leaver, ids] of idsBy(lost, ({ leaver }) => leaver)) {
      this.#deps.log.warn('handoff.lost', { from: leaver.name, sessions: ids.length });
      leaver.peer.note('handoff.returned', { ids });
    }
    for (const traveller of lost) this.#settled(traveller);
  }

  #cancelAtTargets(travellers: readonly Traveller[]): void {
    for (const [target, ids] of idsBy(travellers, (each) => each.target)) {
      target.peer.note('handoff.cancel', { ids });
    }
  }
}

function who({ name, pid }: MovingWorker): string {
  return `${name} (pid ${pid})`;
}

function idsBy(
  travellers: readonly Traveller[],
  key: (traveller: Traveller) => MovingWorker,
): Map<MovingWorker, string[]> {
  const groups = new Map<MovingWorker, string[]>();
  for (const traveller of travellers) {
    const ids = groups.get(key(traveller));
    if (ids) ids.push(traveller.id);
    else groups.set(key(traveller), [traveller.id]);
  }
  return groups;
}

/** Null when it takes longer. */
async function within<T>(done: Promise<T>, ms: number): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, ms, null);
  });
  try {
    return await Promise.race([done, late]);
  } finally {
    clearTimeout(timer);
  }
}
