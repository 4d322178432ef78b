/**
 * Places for connections that have not logged in, so that strangers cannot fill the server: of the whole node, and of one
 * address in this Worker. A connection has its place from its opening on and gives it back when it logs in or closes.
 */
import { AddressBudget } from '../gateway/address-budget.js';
import type { LiveSession } from './live-session.js';

/** The Worker's end of the node-wide count. */
export interface Places {
  acquire(): Promise<boolean>;
  release(): void;
  /** A place came here with its connection, or went with it: the master has booked it. */
  arrived(): void;
  departed(): void;
}

export interface VisitorLimits {
  /** The address as the budgets count it; null when it is free. */
  readonly budgetKey: (address: string) => string | null;
  /** Places of one address, now. */
  readonly perAddress: () => number;
}

/** A place for a connection that is about to open: `hold` it with its session, or `drop` it. */
export interface VisitorPlace {
  readonly granted: true;
  hold(session: LiveSession): void;
  drop(): void;
}

export interface NoPlace {
  readonly granted: false;
  /** Of the address, or of all. */
  readonly reason: 'visitors-address' | 'visitors';
}

export class VisitorPlaces {
  readonly #places: Places;
  readonly #limits: VisitorLimits;
  readonly #addresses = new AddressBudget();
  readonly #holders = new WeakSet<LiveSession>();
  readonly #closed = new WeakSet<LiveSession>();

  constructor(places: Places, limits: VisitorLimits) {
    this.#places = places;
    this.#limits = limits;
  }

  async reserve(address: string): Promise<VisitorPlace | NoPlace> {
    const key = this.#limits.budgetKey(address);
    // Taken before the master is asked: connections of one moment are counted like those that come in turn.
    if (key !== null && !this.#addresses.takeLink(key, this.#limits.perAddress())) {
      return { granted: false, reason: 'visitors-address' };
    }
    if (!(await this.#places.acquire())) {
      this.#returnAddress(address);
      return { granted: false, reason: 'visitors' };
    }
    const drop = (): void => {
      this.#returnAddress(address);
      this.#places.release();
    };
    return {
      granted: true,
      drop,
      hold: (session) => {
        // It may have closed, or got another place, while this one was waited for.
        if (this.#closed.has(session) || this.#holders.has(session)) drop();
        else this.#holders.add(session);
      },
    };
  }

  /** False when there is no place for this session. */
  async take(session: LiveSession): Promise<boolean> {
    if (this.#holders.has(session)) return true;
    const place = await this.reserve(session.data.address);
    if (place.granted) place.hold(session);
    return place.granted;
  }

  giveBack(session: LiveSession): void {
    if (!this.#holders.delete(session)) return;
    this.#returnAddress(session.data.address);
    this.#places.release();
  }

  holds(session: LiveSession): boolean {
    return this.#holders.has(session);
  }

  /** The session came from another Worker, with its place, whatever the limit of its address is here. */
  arrived(session: LiveSession): void {
    this.#holders.add(session);
    const key = this.#limits.budgetKey(session.data.address);
    if (key !== null) this.#addresses.addLink(key);
    this.#places.arrived();
  }

  /** The session is another Worker's, and so is its place. */
  departed(session: LiveSession): void {
    this.#closed.add(session);
    if (!this.#holders.delete(session)) return;
    this.#returnAddress(session.data.address);
    this.#places.departed();
  }

  /** The connection is closed: it never holds a place again. */
  closed(session: LiveSession): void {
    this.#closed.add(session);
    this.giveBack(session);
  }

  #returnAddress(address: string): void {
    const key = this.#limits.budgetKey(address);
    if (key !== null) this.#addresses.returnLink(key);
  }
}
