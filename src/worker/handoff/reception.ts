/**
 * Puts a session that has travelled into service: the same for one that comes from another Worker and for one that comes
 * back. In this order: it is registered, gets what came for it on the way, its replay goes on, and only then it is read.
 */
import type { Socket } from 'node:net';
import type { TravellingSession } from '../../shared/protocol/handoff.js';
import type { Delivery } from '../delivery/delivery.js';
import type { Replays } from '../delivery/replay.js';
import type { Attached, Gateway } from '../gateway/gateway.js';
import { endKicked } from '../sessions/end-kicked.js';
import { isLoggedIn } from '../sessions/live-session.js';
import type { LoginDesk } from '../sessions/login-desk.js';
import { startReading } from './socket-surgery.js';
import type { Kept } from './transit-box.js';
import { unpackLoop, unpackSession } from './travelling.js';

export interface ReceptionDeps {
  readonly gateway: Pick<Gateway, 'arrive' | 'serve' | 'endIfClosing'>;
  readonly desk: Pick<LoginDesk, 'arrived'>;
  readonly delivery: Pick<Delivery, 'onEventFor'>;
  readonly replays: Pick<Replays, 'goOn'>;
}

export type Arrived = Attached & { readonly socket: Socket };

export class Reception {
  readonly #deps: ReceptionDeps;

  constructor(deps: ReceptionDeps) {
    this.#deps = deps;
  }

  /** Builds the connection; nothing is read or written. Throws when it cannot be built. */
  prepare(travelling: TravellingSession, socket: Socket, head: Buffer): Arrived {
    const { gateway } = this.#deps;
    const attached = gateway.arrive(socket, head, unpackSession(travelling), unpackLoop(travelling));
    return { ...attached, socket };
  }

  /** It is this Worker's connection from here on. */
  serve(attached: Arrived, travelling: TravellingSession, kept: Kept): void {
    const { gateway, desk, delivery, replays } = this.#deps;
    const { session, ws, socket } = attached;
    gateway.serve(attached);
    desk.arrived(session, travelling.login);
    const owes = travelling.replay !== null || kept.gap !== null;
    const goOn = owes && isLoggedIn(session) ? replays.goOn(session, travelling.replay, kept.gap) : null;
    for (const item of travelling.owed) delivery.onEventFor(session, { t: 'notice', item });
    for (const event of kept.events) delivery.onEventFor(session, event);
    goOn?.();
    if (kept.kicked !== null) endKicked(session.connection, kept.kicked);
    gateway.endIfClosing(session);
    startReading(ws, socket);
  }
}
