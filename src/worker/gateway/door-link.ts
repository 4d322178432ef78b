/**
 * A Worker's side of the front door: takes the connections that the master gives it, and hands back those it is not to
 * serve any longer.
 *
 * A connection is touched only when it has been said in the channel that it was taken: were this process to end before, the
 * master would still have it whole, and give it to another Worker. The same holds the other way round: what is handed back
 * is kept here, unread, until the master has said that it arrived.
 */
import { Socket, type SocketConstructorOpts } from 'node:net';
import type { MasterPeer } from '../../platform/rpc/master-link.js';
import type { SentHandle } from '../../platform/rpc/peer.js';

/** How often the master hears how many connections are open here, when that has changed. */
const TELL_MS = 500;
/** The master answers at once, or is busy; without an answer the connection can be served by nobody. */
const BACKS_MS = 10_000;
/** Connections that are handed back together. */
const BATCH_MAX = 32;

export interface DoorLinkDeps {
  readonly peer: Pick<MasterPeer, 'note' | 'hand' | 'call'>;
  /** Connections that are open in this process. */
  readonly open: () => number;
  /** It is this process's from now on; `kept`: another Worker has answered calls on it. */
  readonly onSocket: (socket: Socket, kept: boolean) => void;
}

interface Back {
  readonly n: number;
  readonly resolve: (taken: boolean) => void;
}

export class DoorLink {
  readonly #deps: DoorLinkDeps;
  #told = 0;
  #timer: NodeJS.Timeout | null = null;
  #lastN = 0;
  #backs: Back[] = [];

  constructor(deps: DoorLinkDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#timer = setInterval(() => {
      const open = this.#deps.open();
      if (open !== this.#told) this.#tell(open);
    }, TELL_MS);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
  }

  /** The master gives this process a connection. */
  onConn({ n, kept }: { readonly n: number; readonly kept: boolean }, handle: SentHandle): void {
    const { peer, open, onSocket } = this.#deps;
    this.#told = open() + 1;
    peer.note('conn.taken', { n, open: this.#told }, (error) => {
      // The master is gone: so is this process in a moment, and with it the connection.
      if (error) handle.close();
      else onSocket(socketOf(handle), kept);
    });
  }

  /** Hands a connection back; resolves with false when the master does not have it: then it is still this process's. */
  giveBack(socket: Socket, kept: boolean): Promise<boolean> {
    const handle = Reflect.get(socket, '_handle') as SentHandle | null;
    if (!handle) return Promise.resolve(false);
    this.#lastN += 1;
    const n = this.#lastN;
    this.#deps.peer.hand('conn.back', { n, kept }, handle, () => {});
    return new Promise((resolve) => {
      if (this.#backs.push({ n, resolve }) === 1) setImmediate(() => void this.#ask());
      if (this.#backs.length >= BATCH_MAX) void this.#ask();
    });
  }

  #tell(open: number): void {
    this.#told = open;
    this.#deps.peer.note('conn.holds', { open });
  }

  /** Handles and calls travel in order: what has not arrived when this is answered never will. */
  async #ask(): Promise<void> {
    const backs = this.#backs.splice(0);
    if (backs.length === 0) return;
    const arrived = new Set<number>();
    try {
      const ns = backs.map(({ n }) => n);
      const { taken } = await this.#deps.peer.call('conn.backs', { ns }, { deadlineMs: BACKS_MS });
      for (const n of taken) arrived.add(n);
    } catch {
      // The master is gone, and this process ends; or it hangs: then it may have them, and both must not serve them.
      for (const { resolve } of backs) resolve(true);
      return;
    }
    for (const { n, resolve } of backs) resolve(arrived.has(n));
  }
}

/** As net.Server makes them. */
function socketOf(handle: SentHandle): Socket {
  const options: SocketConstructorOpts & { handle: SentHandle } = { handle, allowHalfOpen: true };
  const socket = new Socket(options);
  socket.setNoDelay(true);
  return socket;
}
