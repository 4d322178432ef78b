/** This Worker's answers to what other processes and nodes ask. */

import { CLOSE } from '../../shared/protocol/close-codes.js';
import type { Questions } from '../../shared/protocol/questions.js';
import type { SessionRegistry } from './session-registry.js';

type Answering = {
  readonly [Q in Exclude<keyof Questions, 'metrics' | 'figures'>]: (
    args: Questions[Q]['args'],
  ) => Questions[Q]['result'];
};

/** @param onKicked the user's key must be asked for again. */
export function createAnswers(
  sessions: SessionRegistry,
  names: { node: string; worker: string },
  onKicked: (uid: number, reason: string) => void,
): Answering {
  return {
    online: ({ uid }) => ({
      connections: [...sessions.ofUser(uid)].map(({ data }) => ({
        session: data.id,
        channel: data.login.channel,
        device: data.login.device,
        since: data.login.since,
        ...names,
      })),
    }),
    kick: ({ uid, reason }) => {
      onKicked(uid, reason);
      const kicked = [...sessions.ofUser(uid)];
      for (const { connection } of kicked) connection.end(CLOSE.kicked, reason, null);
      return { closed: kicked.length };
    },
    uids: ({ after, limit }) => sessions.uids(after, limit),
  };
}
