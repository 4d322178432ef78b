/** A session as the plain data that travels, and back. */

import type { MessageItem } from '../../shared/domain/message.js';
import type { SessionData } from '../../shared/domain/session.js';
import type { TravellingReplay, TravellingSession } from '../../shared/protocol/handoff.js';
import type { MessageLoopState } from '../gateway/message-loop.js';
import { monotonicNow } from './monotonic-now.js';

export interface Luggage {
  readonly loop: MessageLoopState;
  readonly holdsVisitorPlace: boolean;
  readonly replay: TravellingReplay | null;
  readonly owed: readonly MessageItem[];
  readonly head: Buffer;
}

export function packSession(data: SessionData, luggage: Luggage): TravellingSession {
  return {
    id: data.id,
    address: data.address,
    connectedAt: data.connectedAt,
    login: data.login,
    lastTrafficAt: data.lastTrafficAt,
    unreadable: data.unreadable,
    seen: [...data.seen],
    rate: luggage.loop.rate,
    refused: luggage.loop.refused,
    holdsVisitorPlace: luggage.holdsVisitorPlace,
    replay: luggage.replay,
    owed: luggage.owed,
    head: luggage.head.toString('base64'),
    leftAt: monotonicNow(),
  };
}

/** The data of the session, not logged in yet: that is the login desk's to do. */
export function unpackSession(travelling: TravellingSession): SessionData {
  const { id, address, connectedAt, lastTrafficAt, unreadable, seen } = travelling;
  return { id, address, connectedAt, login: null, lastTrafficAt, unreadable, seen: new Map(seen) };
}
