/** A session as the plain data that travels, and back. */

import { type Moment, momentMs, momentOf } from '../../shared/base/clock.js';
import type { MessageItem } from '../../shared/domain/message.js';
import type { LifeSigns, SessionData } from '../../shared/domain/session.js';
import type { TravellingLife, TravellingReplay, TravellingSession } from '../../shared/protocol/handoff.js';
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
    lastHeardAt: momentMs(data.lastHeardAt),
    unreadable: data.unreadable,
    seen: [...data.seen].map(([id, at]) => [id, momentMs(at)]),
    life: packLife(data.life),
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
  const lastHeardAt = momentOf(travelling.lastHeardAt ?? travelling.lastTrafficAt);
  const seen = new Map(travelling.seen.map(([message, at]) => [message, momentOf(at)]));
  const life = unpackLife(travelling.life);
  return { id, address, connectedAt, login: null, lastTrafficAt, lastHeardAt, unreadable, seen, life };
}

function packLife({ silentSince, probedAt, asked, answered, unconfirmed }: LifeSigns): TravellingLife {
  return {
    silentSince: silentSince && momentMs(silentSince),
    probedAt: probedAt && momentMs(probedAt),
    asked,
    answered,
    unconfirmed: [...unconfirmed].map(([id, { question, at }]) => [id, question, momentMs(at)]),
  };
}

function unpackLife({ silentSince, probedAt, asked, answered, unconfirmed }: TravellingLife): LifeSigns {
  return {
    silentSince: silentSince === null ? null : momentOf(silentSince),
    probedAt: probedAt === null ? null : momentOf(probedAt),
    asked,
    answered,
    unconfirmed: new Map(unconfirmed.map(([id, question, at]) => [id, { question, at: momentOf(at) }])),
  };
}

export function unpackLoop({ rate, refused }: TravellingSession): MessageLoopState {
  return { rate: { tokens: rate.tokens, filledAt: momentOf(rate.filledAt) }, refused };
}
