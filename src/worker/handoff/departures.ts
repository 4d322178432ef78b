/**
 * The old side of a hand-over: announces its sessions a batch at a time, then takes them out of service one after the
 * other, each at a moment when no command of it runs and nothing waits to be written, and sends them to the master with
 * their sockets.
 *
 *     served     open here; its turn has not come
 *     announced  still served here; whoever gets it follows its user already
 *     on its way not read, not written; this side's copy of the socket is kept
 *     gone       adopted elsewhere: the copy is closed. Or back in service here, when it did not get there
 *
 * A connection that finds no such moment is not read any longer after `GRACE_MS`, and closed after `STILL_MS` more.
 */

import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { TLSSocket } from 'node:tls';
import type { Bus } from '../../platform/bus/bus.js';
import type { Log } from '../../platform/log/log.js';
import type { MasterPeer } from '../../platform/rpc/master-link.js';
import { type Clock, type Moment, msBetween, msSince } from '../../shared/base/clock.js';
import { errorText } from '../../shared/base/errors.js';
import type { LeaveResult, NotMovable, TravellingSession } from '../../shared/protocol/handoff.js';
import type { Delivery } from '../delivery/delivery.js';
import { earlier, recentGap } from '../delivery/gap.js';
import type { GapSweep } from '../delivery/gap-sweep.js';
import type { Replays } from '../delivery/replay.js';
import type { AddressBudget } from '../gateway/address-budget.js';
import type { Attached, Gateway } from '../gateway/gateway.js';
import { isLoggedIn, type LiveSession } from '../sessions/live-session.js';
import type { LoginDesk } from '../sessions/login-desk.js';
import type { SessionRegistry } from '../sessions/session-registry.js';
import type { UserFollows } from '../sessions/user-follows.js';
import type { Places, VisitorPlaces } from '../sessions/visitor-places.js';
import type { Reception } from './reception.js';
import { canTravel, closeCopy, outputDrained, startReading, stopReading, takeOut } from './socket-surgery.js';
import type { TransitBox } from './transit-box.js';
import { type Luggage, packSession } from './travelling.js';
import { Window } from './window.js';

/** Sessions announced together. */
const BATCH = 64;
/** Batches that are under way at once: while one is handed over the next is announced. */
const LANES = 2;
/** Connections on their way at a time, and how long one may take before there are to be fewer. */
const ON_THEIR_WAY_MAX = 16;
const SLOW_MS = 20;
const EXPECT_MS = 10_000;
const BARRIER_MS = 2000;
/** How often a connection that is busy is looked at, how long it is served meanwhile, and how long it is only written to. */
const LOOK_MS = 20;
const GRACE_MS = 2000;
const STILL_MS = 5000;
/** Of the time between two looks no more counts: when this process did not run, neither did what it waits for. */
const LOOK_COUNTS_MS_MAX = 250;
/** Bytes of one client that were read and not parsed. A frame is far smaller. */
const HEAD_BYTES_MAX = 1024 * 1024;
/** Connections of TLS are closed within this, in paced slots. */
const CLOSE_WITHIN_MS = 60_000;
/** Handshakes that were under way when this Worker stopped accepting get this long to become sessions. */
const LATE_MS = 1000;
/** On its way for longer than this: the master is asked whether it still has it. */
const LOST_AFTER_MS = 10_000;
const TELL_MS = 200;
/** A connection that nobody takes so many times in one hand-over is closed. */
const COMEBACKS_MAX = 3;

export interface DeparturesDeps {
  readonly peer: Pick<MasterPeer, 'call' | 'note' | 'hand'>;
  readonly bus: Pick<Bus, 'probe'>;
  readonly sessions: SessionRegistry;
  readonly gateway: Gateway;
  readonly desk: LoginDesk;
  readonly follows: UserFollows;
  readonly transit: TransitBox;
  readonly clock: Clock;
  readonly reception: Reception;
  readonly delivery: Pick<Delivery, 'owedTo'>;
  readonly replays: Pick<Replays, 'takeOut'>;
  readonly gaps: Pick<GapSweep, 'owes'>;
  readonly links: Pick<Places, 'departed'>;
  readonly visitors: Pick<VisitorPlaces, 'holds' | 'arrived'>;
  readonly budget: Pick<AddressBudget, 'returnLink'>;
  readonly budgetKey: (address: string) => string | null;
  /** No new connections from now on; resolves when all that were accepted are gone. */
  readonly stopAccepting: () => Promise<void>;
  readonly log: Log;
}

interface OnItsWay {
  readonly session: LiveSession;
  readonly travelling: TravellingSession;
  readonly socket: Socket;
  readonly head: Buffer;
  readonly sentAt: Moment;
  readonly release: () => void;
}

export class Departures {
  readonly #deps: DeparturesDeps;
  readonly #window: Window;
  /** Announced, or being closed: their turn has come. Those that close are not told of, so they are not held on to. */
  readonly #taken = new WeakSet<LiveSession>();
  readonly #onTheirWay = new Map<string, OnItsWay>();
  /** Turns that wait for a command or for output, while those behind them go. */
  readonly #busy = new Set<Promise<void>>();
  readonly #comebacks = new Map<string, number>();
  #closed: Partial<Record<NotMovable, number>> = {};
  #gone = 0;
  /** How often it was told to stop, or stopped by itself, and how often before this hand-over. */
  #stops = 0;
  #stopsBefore = 0;
  /** Why it stopped by itself. */
  #failure: { readonly error: unknown } | null = null;
  #leaving: Promise<LeaveResult> | null = null;

  constructor(deps: DeparturesDeps) {
    this.#deps = deps;
    this.#window = new Window({ max: ON_THEIR_WAY_MAX, slowMs: SLOW_MS, clock: deps.clock });
  }

  /**
   * Resolves when nothing is left to hand over, or, after `abort`, when nothing is on its way. Rejects when nobody expects
   * its sessions: then it has them, and goes on serving them.
   */
  leave(): Promise<LeaveResult> {
    const before = this.#leaving;
    if (before && !this.#aborted) return before;
    const leaving = this.#leaveAfter(before).finally(() => {
      if (this.#leaving === leaving) this.#leaving = null;
    });
    this.#leaving = leaving;
    return leaving;
  }

  /** No session is taken out of service any more; what is on its way arrives or comes back. */
  abort(): void {
    this.#stops += 1;
  }

  /** Another Worker has it. */
  adopted(id: string): void {
    const gone = this.#onTheirWay.get(id);
    if (!gone) return;
    this.#onTheirWay.delete(id);
    this.#gone += 1;
    const { desk, links, budget, budgetKey, transit } = this.#deps;
    transit.take(id);
    closeCopy(gone.socket);
    desk.departed(gone.session);
    links.departed();
    const key = budgetKey(gone.session.data.address);
    if (key !== null) budget.returnLink(key);
    this.#taken.delete(gone.session);
    gone.release();
  }

  /** They did not get to another Worker. */
  returned(ids: readonly string[]): void {
    for (const id of ids) this.#comeBack(id, null);
  }

  get #aborted(): boolean {
    return this.#stops > this.#stopsBefore;
  }

  /** One that was told to stop may still wait for who is on his way: its end is not the end of this one. */
  async #leaveAfter(before: Promise<unknown> | null): Promise<LeaveResult> {
    const stops = this.#stops;
    if (before) await Promise.allSettled([before]);
    this.#stopsBefore = stops;
    return this.#leave();
  }

  async #leave(): Promise<LeaveResult> {
    this.#failure = null;
    this.#closed = {};
    this.#comebacks.clear();
    this.#gone = 0;
    // `abort` came while the previous `leave` was ending: this Worker accepts connections again, and goes on doing so.
    const accepted = this.#aborted ? Promise.resolve() : this.#deps.stopAccepting();
    const tell = setInterval(() => this.#tellRemaining(), TELL_MS);
    const lost = setInterval(() => void this.#askForLost(), LOST_AFTER_MS / 2);
    this.#tellRemaining();
    try {
      const unmovable = this.#closeUnmovable();
      await this.#handOverAll();
      if (!this.#aborted) {
        await Promise.race([accepted, sleep(LATE_MS, undefined, { ref: false })]);
        await this.#handOverAll();
      }
      await unmovable;
    } finally {
      clearInterval(tell);
      clearInterval(lost);
    }
    this.#tellRemaining();
    this.#assertNotFailed();
    return { closed: this.#closed, left: this.#open().length };
  }

  #assertNotFailed(): void {
    if (this.#failure) throw this.#failure.error;
  }

  /** Until nobody is left whose turn could come, and nothing is on its way. */
  async #handOverAll(): Promise<void> {
    do {
      await Promise.all(Array.from({ length: LANES }, () => this.#lane()));
      while (this.#busy.size > 0) await Promise.all(this.#busy);
      await this.#window.empty();
    } while (!this.#aborted && this.#waiting().next().done !== true);
  }

  async #lane(): Promise<void> {
    while (!this.#aborted) {
      const batch: LiveSession[] = [];
      for (const session of this.#waiting()) {
        this.#taken.add(session);
        batch.push(session);
        if (batch.length === BATCH) break;
      }
      if (batch.length === 0) return;
      await this.#handOver(batch);
    }
  }

  #movable(session: LiveSession): Movable | null {
    const attached = this.#deps.gateway.attached(session);
    return attached && isMovable(attached) ? attached : null;
  }

  /** Those whose turn has not come. */
  *#waiting(): Generator<LiveSession> {
    for (const session of this.#deps.sessions.all()) {
      if (!session.connection.open || this.#taken.has(session)) continue;
      if (this.#movable(session)) yield session;
    }
  }

  async #handOver(batch: readonly LiveSession[]): Promise<void> {
    const announced = batch.map((session) => ({ session, uid: session.data.login?.uid ?? null }));
    const heard = await this.#announce(announced);
    if (heard === null) {
      for (const session of batch) this.#taken.delete(session);
      return;
    }
    const soon: Promise<void>[] = [];
    for (const { session, uid } of announced) {
      const attached = this.#movable(session);
      const turn = this.#handOverOne({ session, uid, attached, gap: !heard });
      if (attached && isQuiet(attached)) soon.push(turn);
      else this.#holdsUpNobody(turn);
    }
    await Promise.all(soon);
  }

  #holdsUpNobody(turn: Promise<void>): void {
    const busy = turn.finally(() => this.#busy.delete(busy));
    this.#busy.add(busy);
  }

  /** Returns whether everything published before has been heard here; null when no Worker takes the connections. */
  async #announce(
    announced: readonly { session: LiveSession; uid: number | null }[],
  ): Promise<boolean | null> {
    const { peer, bus, log } = this.#deps;
    const sessions = announced.map(({ session, uid }) => ({ id: session.data.id, uid }));
    try {
      await peer.call('handoff.expect', { sessions }, { deadlineMs: EXPECT_MS });
    } catch (error) {
      log.warn('handoff.nobodyExpects', { error: errorText(error) });
      if (!this.#aborted) this.#failure = { error };
      this.abort();
      return null;
    }
    try {
      // What was published before the other Worker followed these users has come through here when this is over.
      const { complete } = await bus.probe({ deadlineMs: BARRIER_MS });
      return complete;
    } catch (error) {
      log.warn('handoff.busSilent', { error: errorText(error) });
      return false;
    }
  }

  async #handOverOne(turn: Turn): Promise<void> {
    const { session, uid, attached } = turn;
    const busy: Busy = { forMs: 0 };
    while (attached && this.#mayGo(attached, uid) && (await this.#untilQuiet(attached, busy))) {
      const release = await this.#window.enter();
      if (this.#mayGo(attached, uid) && isQuiet(attached)) {
        this.#send(attached, turn, release);
        return;
      }
      release();
    }
    this.#deps.peer.note('handoff.cancel', { ids: [session.data.id] });
    if (!session.connection.open) return;
    if (attached) goOnReading(attached);
    this.#taken.delete(session);
  }

  /** As it was announced: another login since then would be another user's news. */
  #mayGo({ session, socket }: Movable, uid: number | null): boolean {
    const asAnnounced = (session.data.login?.uid ?? null) === uid;
    return !this.#aborted && session.connection.open && canTravel(socket) && asAnnounced;
  }

  /** Waits for a moment without commands and unwritten output; at last the client is not read any more, then closed. */
  async #untilQuiet(attached: Movable, busy: Busy): Promise<boolean> {
    const { session, ws, socket, loop } = attached;
    const { clock } = this.#deps;
    let stopped = false;
    let lookedAt = clock.moment();
    while (!isQuiet(attached)) {
      if (!session.connection.open || this.#aborted) break;
      const now = clock.moment();
      busy.forMs += Math.min(msBetween(lookedAt, now), LOOK_COUNTS_MS_MAX);
      lookedAt = now;
      if (busy.forMs >= GRACE_MS + STILL_MS) {
        this.#close([session], loop.running > 0 ? 'command' : 'output');
        break;
      }
      if (busy.forMs >= GRACE_MS && !stopped) {
        stopReading(ws, socket);
        stopped = true;
      }
      await sleep(LOOK_MS);
    }
    const quiet = isQuiet(attached) && session.connection.open && !this.#aborted;
    if (stopped && !quiet) goOnReading(attached);
    return quiet;
  }

  #send(attached: Movable, { uid, gap }: Turn, release: () => void): void {
    const { session, ws, socket, loop } = attached;
    const { gateway, transit, peer, clock, log } = this.#deps;
    const { id } = session.data;
    let out: ReturnType<typeof takeOut>;
    try {
      out = takeOut(ws, socket);
    } catch (error) {
      log.error('handoff.internals', { session: id, error: errorText(error) });
      release();
      peer.note('handoff.cancel', { ids: [id] });
      this.#close([session], 'internals');
      startReading(ws, socket);
      return;
    }
    const { head, handle } = out;
    attached.connection.lookForSigns();
    const sentAt = clock.moment();
    const luggage = { ...this.#luggage(session, gap), loop: loop.state, head, leftAt: sentAt };
    const travelling = packSession(session.data, luggage);
    gateway.forget(session);
    transit.expect({ id, uid });
    this.#onTheirWay.set(id, { session, travelling, socket, head, sentAt, release });
    if (head.length > HEAD_BYTES_MAX) {
      peer.note('handoff.cancel', { ids: [id] });
      this.#comeBack(id, 'bytes');
      return;
    }
    peer.hand('handoff.session', travelling, handle, (error) => {
      if (error) this.#comeBack(id, null);
    });
  }

  #luggage(session: LiveSession, gap: boolean): Pick<Luggage, 'replay' | 'owed' | 'holdsVisitorPlace'> {
    const { replays, gaps, delivery, visitors, clock } = this.#deps;
    const owed = isLoggedIn(session) ? gaps.owes(session) : null;
    return {
      replay: replays.takeOut(session, earlier(owed, gap ? recentGap(clock) : null)),
      owed: delivery.owedTo(session),
      holdsVisitorPlace: visitors.holds(session),
    };
  }

  /** It is served here again; it is a new session object with everything the old one had. */
  #comeBack(id: string, closedFor: NotMovable | null): void {
    const back = this.#onTheirWay.get(id);
    if (!back) return;
    this.#onTheirWay.delete(id);
    const { desk, follows, visitors, reception, transit, clock } = this.#deps;
    const { session, travelling, socket, head } = back;
    const kept = transit.take(id) ?? { events: [], gap: recentGap(clock), kicked: null };
    const attached = reception.prepare(travelling, socket, head);
    if (travelling.login) follows.again(travelling.login.uid);
    desk.departed(session);
    if (travelling.holdsVisitorPlace) visitors.arrived(attached.session);
    this.#taken.delete(session);
    reception.serve(attached, travelling, kept);
    back.release();
    const comebacks = (this.#comebacks.get(id) ?? 0) + 1;
    this.#comebacks.set(id, comebacks);
    if (closedFor !== null) this.#close([attached.session], closedFor);
    else if (comebacks >= COMEBACKS_MAX && !this.#aborted) this.#close([attached.session], 'internals');
  }

  #close(sessions: readonly LiveSession[], reason: NotMovable): void {
    for (const session of sessions) this.#taken.add(session);
    void this.#closePaced(sessions, reason);
  }

  async #closePaced(sessions: readonly LiveSession[], reason: NotMovable): Promise<void> {
    this.#closed[reason] = (this.#closed[reason] ?? 0) + sessions.length;
    this.#deps.log.info('handoff.closed', { reason, connections: sessions.length });
    await this.#deps.gateway.closeReplaced(sessions, { withinMs: CLOSE_WITHIN_MS });
  }

  /** TLS ends in this process: its keys cannot go to another. */
  async #closeUnmovable(): Promise<void> {
    const unmovable = this.#open().filter((session) => {
      const attached = this.#deps.gateway.attached(session);
      return attached?.socket instanceof TLSSocket;
    });
    if (unmovable.length === 0) return;
    for (const session of unmovable) this.#taken.add(session);
    await this.#closePaced(unmovable, 'tls');
  }

  #open(): LiveSession[] {
    return [...this.#deps.sessions.all()].filter(({ connection }) => connection.open);
  }

  #tellRemaining(): void {
    const remaining = this.#open().length + this.#onTheirWay.size;
    this.#deps.peer.note('handoff.remaining', { remaining, gone: this.#gone });
  }

  /** A message with a handle is lost when its receiver is out of descriptors: nobody else would notice. */
  async #askForLost(): Promise<void> {
    const { peer, clock, log } = this.#deps;
    const late = [...this.#onTheirWay].filter(([, { sentAt }]) => msSince(clock, sentAt) >= LOST_AFTER_MS);
    const ids = late.map(([id]) => id);
    if (ids.length === 0) return;
    try {
      const unknown = await peer.call('handoff.unknown', { ids }, { deadlineMs: LOST_AFTER_MS });
      this.returned(unknown.ids);
    } catch (error) {
      log.warn('handoff.notAsked', { error: errorText(error) });
    }
  }
}

type Movable = Attached & { readonly socket: Socket };

function isMovable(attached: Attached): attached is Movable {
  return canTravel(attached.socket);
}

/** How long one connection was busy while its turn had come. */
interface Busy {
  forMs: number;
}

interface Turn {
  readonly session: LiveSession;
  /** Whose it was when it was announced. */
  readonly uid: number | null;
  readonly attached: Movable | null;
  /** Events may have been missed: the store is read again. */
  readonly gap: boolean;
}

/** A moment at which it can be taken out: no command runs, and everything written has left. */
function isQuiet({ loop, socket }: Movable): boolean {
  return loop.running === 0 && outputDrained(socket);
}

/** A client that its message loop holds back stays so. */
function goOnReading({ ws, socket, loop }: Movable): void {
  startReading(ws, socket);
  loop.readOn();
}
