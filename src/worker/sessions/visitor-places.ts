/**
 * Places for connections that have not logged in, so that strangers cannot fill the server. They are counted whether
 * VisitorMax is set or not, so that one that is set later knows who is there; nobody is refused while it is not. A connection
 * gives its place back when it logs in or closes.
 */
import type { LiveSession } from './live-session.js';

/** The Worker's end of the node-wide count. */
export interface Places {
  acquire(): Promise<boolean>;
  release(): void;
  /** A place came here with its connection, or went with it: the master has booked it. */
  arrived(): void;
  departed(): void;
}

export class VisitorPlaces {
  readonly #places: Places;
  readonly #limited: () => boolean;
  readonly #holders = new WeakSet<LiveSession>();
  readonly #closed = new WeakSet<LiveSession>();

  constructor(places: Places, limited: () => boolean) {
    this.#places = places;
    this.#limited = limited;
  }

  /** A place for a connection that is about to open; `hold` it with its session, or `drop` it. */
  async reserve(): Promise<{ granted: boolean; hold(session: LiveSession): void; drop(): void }> {
    const got = await this.#places.acquire();
    const drop = (): void => {
      if (got) this.#places.release();
    };
    return {
      granted: got || !this.#limited(),
      hold: (session) => {
        if (!got) return;
        // It may have closed, or got another place, while this one was waited for.
        if (this.#closed.has(session) || this.#holders.has(session)) drop();
        else this.#holders.add(session);
      },
      drop,
    };
  }

  /** False when there is no place for this session. */
  async take(session: LiveSession): Promise<boolean> {
    if (this.#holders.has(session)) return true;
    const place = await this.reserve();
    if (place.granted) place.hold(session);
    return place.granted;
  }

  giveBack(session: LiveSession): void {
    if (this.#holders.delete(session)) this.#places.release();
  }

  holds(session: LiveSession): boolean {
    return this.#holders.has(session);
  }

  /** The session came from another Worker, with its place. */
  arrived(session: LiveSession): void {
    this.#holders.add(session);
    this.#places.arrived();
  }

  /** The session is another Worker's, and so is its place. */
  departed(session: LiveSession): void {
    this.#closed.add(session);
    if (this.#holders.delete(session)) this.#places.departed();
  }

  /** The connection is closed: it never holds a place again. */
  closed(session: LiveSession): void {
    this.#closed.add(session);
    this.giveBack(session);
  }
}
