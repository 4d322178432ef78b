/** This Worker's answers to what other processes and nodes ask of its sessions. */
import { type Clock, msSince } from '../../shared/base/clock.js';
import type { SessionDetails } from '../../shared/domain/session.js';
import type { Questions } from '../../shared/protocol/questions.js';
import { endKicked } from './end-kicked.js';
import type { LoggedInSession } from './live-session.js';
import type { SessionRegistry } from './session-registry.js';

type Answering = {
  readonly [Q in 'online' | 'kick' | 'uids']: (args: Questions[Q]['args']) => Questions[Q]['result'];
};

/** @param onKicked the user's key must be asked for again. */
export function createAnswers(
  { sessions, clock }: { sessions: SessionRegistry; clock: Pick<Clock, 'moment'> },
  names: { node: string; worker: string },
  onKicked: (kick: Questions['kick']['args']) => void,
): Answering {
  return {
    online: ({ uid, details }) => ({
      connections: [...sessions.ofUser(uid)].map((session) => {
        const { id, login } = session.data;
        return {
          session: id,
          channel: login.channel,
          device: login.device,
          since: login.since,
          ...names,
          ...(details ? { details: detailsOf(session, clock) } : {}),
        };
      }),
    }),
    kick: (kick) => {
      onKicked(kick);
      const kicked = [...sessions.ofUser(kick.uid)];
      for (const { connection } of kicked) endKicked(connection, kick);
      return { closed: kicked.length };
    },
    uids: ({ after, limit }) => sessions.uids(after, limit),
  };
}

function detailsOf(
  { data, connection, replay, missed }: LoggedInSession,
  clock: Pick<Clock, 'moment'>,
): SessionDetails {
  const { address, connectedAt, login, life, lastHeardAt } = data;
  return {
    address,
    connectedAt,
    heardMsAgo: Math.round(msSince(clock, lastHeardAt)),
    ack: login.ack,
    unconfirmed: life.unconfirmed.size,
    unsentBytes: connection.unsentBytes,
    replaying: replay !== null,
    leftOut: missed !== null,
    silentMs: life.silentSince && Math.round(msSince(clock, life.silentSince)),
  };
}
