/**
 * The node's one port: accepts every connection and gives each to the Worker that holds the fewest.
 *
 * Accepting happens at the handle, below net.Socket, so nothing is read here. A Worker is given a connection in a message
 * of its own and says that it has taken it; until then this process keeps its copy of the descriptor, and gives the
 * connection to another Worker when the first one ends. node:cluster's own distribution is not used: it waits for ever for
 * a Worker that could not take a connection over, and forgets accepted connections when a Worker closes.
 *
 * Promises: a connection is given to one Worker at a time. Those for which no Worker has room wait, and are given in turns
 * between client addresses. One that no Worker takes within `WAIT_MS` is closed, counted and logged; so is the newest of the
 * address that has the most waiting, when more than `waitingMax` wait. Nothing a Worker does, or does not, holds up the others.
 */
import type { Server } from 'node:net';
import { type EachRefusal, eachRefusal } from '../../platform/log/each-refusal.js';
import type { Log } from '../../platform/log/log.js';
import { seldomLog } from '../../platform/log/seldom-log.js';
import type { SentHandle } from '../../platform/rpc/peer.js';
import { type Clock, type Moment, msSince } from '../../shared/base/clock.js';
import { errorText } from '../../shared/base/errors.js';
import type { DoorCounts, DoorRefusal } from '../../shared/protocol/door.js';
import { type AcceptedHandle, type ListenAt, openListeners, peerNameOf } from './listener.js';
import { WaitingRoom } from './waiting-room.js';

/** Connections that one Worker may be given before it has said that it took the first of them. */
const GIVEN_MAX = 16;
/** A Worker that has not taken a connection for this long is given no more while others take theirs. */
const SLOW_MS = 1000;
/** A connection that no Worker took for this long is closed. */
const WAIT_MS = 10_000;
/** Not taken for this long: the Worker is asked whether the message with the descriptor has arrived there. */
const ASK_AFTER_MS = 3000;
const ASK_MS = 10_000;
const LOOK_MS = 1000;
/** Lines of an address from which many clients come. */
const SHARED_LINES = 64;

/** A Worker, as far as connections are given to it. */
export interface DoorWorker {
  readonly name: string;
  readonly peer: {
    hand(
      name: 'conn',
      args: { readonly n: number; readonly kept: boolean },
      handle: SentHandle,
      flushed: (error: Error | null) => void,
    ): void;
    call(
      name: 'conn.barrier',
      args: Record<string, never>,
      options: { readonly deadlineMs: number },
    ): Promise<unknown>;
  };
}

export interface FrontDoorDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** Connections that may wait here for a Worker: each costs a descriptor of this process. */
  readonly waitingMax: () => number;
  /** Many clients come from this address: the proxy in front, this machine. They do not wait in one line. */
  readonly isShared: (address: string) => boolean;
}

interface Waiting {
  readonly handle: SentHandle;
  /** Calls were answered on it by another Worker. */
  readonly kept: boolean;
  readonly since: Moment;
}

interface Given extends Waiting {
  readonly givenAt: Moment;
}

interface Desk {
  readonly worker: DoorWorker;
  /** Open connections, as the Worker said last. */
  open: number;
  /** Not taken yet, the oldest first. */
  readonly given: Map<number, Given>;
  /** New connections may be given to it. */
  attached: boolean;
  /** It is being asked whether they have arrived. */
  asking: boolean;
  /** The number of the last connection that it was given. */
  lastN: number;
}

export class FrontDoor {
  readonly #deps: FrontDoorDeps;
  readonly #log: Pick<Log, 'warn'>;
  readonly #each: EachRefusal;
  readonly #desks = new Map<DoorWorker, Desk>();
  readonly #waiting = new WaitingRoom<Waiting>();
  readonly #counts: Record<DoorRefusal, number> = { full: 0, late: 0, kernel: 0, stopping: 0 };
  readonly #reserved = new Map<number, DoorWorker>();
  /** Handed back, and not yet asked for by the Worker. */
  readonly #back = new Map<DoorWorker, Set<number>>();
  #accepted = 0;
  #lastN = 0;
  #servers: readonly Server[] = [];
  #sweep: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(deps: FrontDoorDeps) {
    this.#deps = deps;
    this.#log = seldomLog(deps.log, deps.clock);
    this.#each = eachRefusal(deps.log, deps.clock);
  }

  /**
   * Connections are accepted from now on; they wait until a Worker is there.
   *
   * @returns the address: `host:port`
   * @throws SpushError PORT_TAKEN, START_FAILED
   */
  async listen(at: ListenAt): Promise<string> {
    const { servers, address } = await openListeners(at, (error, handle) =>
      this.#onConnection(error, handle),
    );
    this.#servers = servers;
    this.#sweep = setInterval(() => this.#look(), LOOK_MS);
    this.#sweep.unref();
    return address;
  }

  get counts(): DoorCounts {
    return { accepted: this.#accepted, waiting: this.#waiting.size, refused: { ...this.#counts } };
  }

  /** It takes connections from now on. */
  attach(worker: DoorWorker): void {
    const desk = this.#desks.get(worker);
    if (desk) desk.attached = true;
    else
      this.#desks.set(worker, { worker, open: 0, given: new Map(), attached: true, asking: false, lastN: 0 });
    this.#giveWaiting();
  }

  /** It is given no more connections; those it was given before it still takes. */
  detach(worker: DoorWorker): void {
    const desk = this.#desks.get(worker);
    if (desk) desk.attached = false;
  }

  /** Its process has ended: what it had not taken goes to the others. */
  ended(worker: DoorWorker): void {
    this.#back.delete(worker);
    const desk = this.#desks.get(worker);
    if (!desk) return;
    this.#desks.delete(worker);
    for (const given of desk.given.values()) this.#give(given);
  }

  /** The Worker has taken connection `n`, and holds `open` now. */
  taken(worker: DoorWorker, { n, open }: { readonly n: number; readonly open: number }): void {
    const desk = this.#desks.get(worker);
    if (!desk) return;
    desk.open = open;
    const given = desk.given.get(n);
    desk.given.delete(n);
    given?.handle.close();
    this.#giveWaiting();
  }

  /** How many connections the Worker holds now. */
  holds(worker: DoorWorker, { open }: { readonly open: number }): void {
    const desk = this.#desks.get(worker);
    if (desk) desk.open = open;
  }

  /** A Worker that leaves hands a connection back, which it has not read from since its last answer. */
  back(
    worker: DoorWorker,
    { n, kept }: { readonly n: number; readonly kept: boolean },
    handle: SentHandle,
  ): void {
    if (this.#closed) {
      handle.close();
      return;
    }
    // A Worker that hands connections back is leaving. As the one with the fewest it would be given the next ones too.
    this.detach(worker);
    const back = this.#back.get(worker) ?? new Set();
    back.add(n);
    this.#back.set(worker, back);
    this.#give({ handle, kept, since: this.#deps.clock.moment() });
  }

  /** Which of the connections that were handed back before this call have arrived: they are no longer the Worker's. */
  backs(worker: DoorWorker, { ns }: { readonly ns: readonly number[] }): { taken: readonly number[] } {
    const back = this.#back.get(worker);
    return { taken: ns.filter((n) => back?.delete(n) === true) };
  }

  /**
   * The connection that comes from this port of the other side goes to this Worker: with it the door is checked.
   *
   * @returns a function that takes it back
   */
  reserve(port: number, worker: DoorWorker): () => void {
    this.#reserved.set(port, worker);
    return () => void this.#reserved.delete(port);
  }

  /** No connection is accepted any more, and those that wait are closed. */
  close(): void {
    this.#closed = true;
    if (this.#sweep) clearInterval(this.#sweep);
    for (const server of this.#servers) server.close();
    this.#servers = [];
    for (const waiting of this.#waiting.takeOut(() => true)) this.#refuse(waiting, 'stopping');
  }

  #onConnection(error: string | null, handle: AcceptedHandle | null): void {
    if (!handle) {
      // The kernel had no descriptor or memory for it; libuv has closed it, or it stays in the backlog.
      this.#counts.kernel += 1;
      this.#log.warn('door.refused', { reason: 'kernel', error, ...this.#load() });
      return;
    }
    this.#accepted += 1;
    const waiting = { handle, kept: false, since: this.#deps.clock.moment() };
    const desk = this.#reserved.size > 0 ? this.#reservedFor(handle) : undefined;
    if (!desk) this.#give(waiting);
    else if (desk.given.size < GIVEN_MAX) this.#giveTo(desk, waiting);
    // It has not taken the last ones: the check has its answer.
    else handle.close();
  }

  #reservedFor(handle: SentHandle): Desk | undefined {
    const worker = this.#reserved.get(peerNameOf(handle).port ?? 0);
    return worker ? this.#desks.get(worker) : undefined;
  }

  #give(waiting: Waiting): void {
    const desk = this.#choose();
    if (desk) this.#giveTo(desk, waiting);
    else if (this.#closed) this.#refuse(waiting, 'stopping');
    else this.#letWait(waiting);
  }

  #letWait(waiting: Waiting): void {
    const { address = '', port = 0 } = peerNameOf(waiting.handle);
    this.#waiting.add(this.#deps.isShared(address) ? `${address} ${port % SHARED_LINES}` : address, waiting);
    if (this.#waiting.size <= this.#deps.waitingMax()) return;
    const refused = this.#waiting.newestOfLongest();
    if (refused) this.#refuse(refused, 'full');
  }

  #giveTo(desk: Desk, { handle, kept, since }: Waiting): void {
    const { clock } = this.#deps;
    this.#lastN += 1;
    desk.lastN = this.#lastN;
    desk.given.set(this.#lastN, { handle, kept, since, givenAt: clock.moment() });
    // When it cannot be sent the Worker has ended, which is told to `ended`.
    desk.worker.peer.hand('conn', { n: this.#lastN, kept }, handle, () => {});
  }

  #giveWaiting(): void {
    while (this.#waiting.size > 0) {
      const desk = this.#choose();
      const waiting = desk ? this.#waiting.next() : undefined;
      if (!desk || !waiting) return;
      this.#giveTo(desk, waiting);
    }
  }

  /** The one with the fewest connections, of those the one that waited longest; one that is slow only when all are. */
  #choose(): Desk | null {
    let best: Desk | null = null;
    for (const desk of this.#desks.values()) {
      if (!desk.attached || desk.given.size >= GIVEN_MAX) continue;
      if (best === null || this.#isBetter(desk, best)) best = desk;
    }
    return best;
  }

  #isBetter(desk: Desk, other: Desk): boolean {
    const slow = this.#isSlow(desk);
    if (slow !== this.#isSlow(other)) return !slow;
    const [load, otherLoad] = [loadOf(desk), loadOf(other)];
    return load === otherLoad ? desk.lastN < other.lastN : load < otherLoad;
  }

  #isSlow({ given }: Desk): boolean {
    const [oldest] = given.values();
    return oldest !== undefined && msSince(this.#deps.clock, oldest.givenAt) > SLOW_MS;
  }

  #look(): void {
    for (const desk of this.#desks.values()) if (!desk.asking) void this.#askForMissing(desk);
    this.#closeLate();
  }

  /** The kernel drops a descriptor for which the receiving process has no room, and its message is dropped with it. */
  async #askForMissing(desk: Desk): Promise<void> {
    const { clock, log } = this.#deps;
    const old = [...desk.given].filter(([, { givenAt }]) => msSince(clock, givenAt) > ASK_AFTER_MS);
    if (old.length === 0) return;
    desk.asking = true;
    try {
      await desk.worker.peer.call('conn.barrier', {}, { deadlineMs: ASK_MS });
      // Everything that had arrived there has been said to be taken before this answer.
      for (const [n] of old) this.#giveElsewhere(desk, n);
    } catch (error) {
      // One that hangs answers later, or ends; then `ended` gives them to others.
      log.warn('door.silent', { child: desk.worker.name, waiting: old.length, error: errorText(error) });
    } finally {
      desk.asking = false;
    }
  }

  #giveElsewhere(desk: Desk, n: number): void {
    const given = desk.given.get(n);
    if (!given) return;
    desk.given.delete(n);
    this.#give(given);
  }

  #closeLate(): void {
    const isLate = ({ since }: Waiting): boolean => msSince(this.#deps.clock, since) >= WAIT_MS;
    for (const waiting of this.#waiting.takeOut(isLate)) this.#refuse(waiting, 'late');
  }

  #refuse({ handle }: Waiting, reason: DoorRefusal): void {
    if (this.#deps.log.debugging) {
      const { address = null } = peerNameOf(handle);
      this.#each('door.refused', { reason, address });
    }
    handle.close();
    this.#counts[reason] += 1;
    if (reason !== 'stopping') this.#log.warn('door.refused', { reason, ...this.#load() });
  }

  #load(): object {
    return {
      waiting: this.#waiting.size,
      refused: Object.values(this.#counts).reduce((sum, count) => sum + count, 0),
      workers: [...this.#desks.values()].filter(({ attached }) => attached).length,
    };
  }
}

function loadOf({ open, given }: Desk): number {
  return open + given.size;
}
