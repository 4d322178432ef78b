/** A session as the plain data that travels, and back. */

import { type Moment, momentMs, momentOf } from '../../shared/base/clock.js';
import type { MessageItem } from '../../shared/domain/message.js';
import type { SessionData } from '../../shared/domain/session.js';
import type { TravellingReplay, TravellingSession } from '../../shared/protocol/handoff.js';
import type { MessageLoopState } from '../gateway/message-loop.js';

export interface Luggage {
  readonly loop: MessageLoopState;
  readonly holdsVisitorPlace: boolean;
  readonly replay: TravellingReplay | null;
  readonly owed: readonly MessageItem[];
  readonly head: Buffer;
  /** From now on nobody reads from it. */
  readonly leftAt: Moment;
}

export function packSession(data: SessionData, luggage: Luggage): TravellingSession {
  const { tokens, filledAt } = luggage.loop.rate;
  return {
    id: data.id,
    address: data.address,
    connectedAt: data.connectedAt,
    login: data.login,
    lastTrafficAt: momentMs(data.lastTrafficAt),
    unreadable: data.unreadable,
    seen: [...data.seen].map(([id, at]) => [id, momentMs(at)]),
    rate: { tokens, filledAt: momentMs(filledAt) },
    refused: luggage.loop.refused,
    holdsVisitorPlace: luggage.holdsVisitorPlace,
    replay: luggage.replay,
    owed: luggage.owed,
    head: luggage.head.toString('base64'),
    leftAt: momentMs(luggage.leftAt),
  };
}

/** The data of the session, not logged in yet: that is the login desk's to do. */
export function unpackSession(travelling: TravellingSession): SessionData {
  const { id, address, connectedAt, unreadable } = travelling;
  const lastTrafficAt = momentOf(travelling.lastTrafficAt);
  const seen = new Map(travelling.seen.map(([message, at]) => [message, momentOf(at)]));
  return { id, address, connectedAt, login: null, lastTrafficAt, unreadable, seen };
}

export function unpackLoop({ rate, refused }: TravellingSession): MessageLoopState {
  return { rate: { tokens: rate.tokens, filledAt: momentOf(rate.filledAt) }, refused };
}
