/** What the main site may ask about: a message's state, a user's connections; and the order to close these. */
import type { Bus } from '../../platform/bus/bus.js';
import type { Log } from '../../platform/log/log.js';
import type { MessageStore } from '../../platform/store/message-store.js';
import { SpushError } from '../../shared/base/errors.js';
import { isMessageId } from '../../shared/domain/message-id.js';
import { parseKick } from '../../shared/protocol/api.js';
import type { Kicked, UserState } from '../../shared/protocol/api-answers.js';
import { shown } from '../../shared/protocol/api-values.js';
import { decimalNumber } from '../../shared/protocol/whole-number.js';
import { success } from './answer.js';
import type { Route } from './route.js';

/** A hung process must not hang the answer: it is named in it instead. */
const ONLINE_DEADLINE_MS = 1000;
const KICK_DEADLINE_MS = 2000;

export interface QuestionDeps {
  readonly store: Pick<MessageStore, 'status'>;
  readonly bus: Pick<Bus, 'ask'>;
  readonly log: Pick<Log, 'debug' | 'debugging'>;
}

export function questionRoutes({ store, bus, log }: QuestionDeps): Route[] {
  return [
    {
      method: 'GET',
      pattern: '/api/message/:id',
      access: 'signed',
      async handle({ params }) {
        const { id } = params;
        if (!isMessageId(id)) {
          throw new SpushError('BAD_REQUEST', `expected a message id (19 digits), got ${shown(id)}`);
        }
        const status = await store.status(id);
        if (status === null) {
          throw new SpushError('NOT_FOUND', `message ${id} is unknown, or was deleted after it expired`);
        }
        return success(status);
      },
    },
    {
      method: 'POST',
      pattern: '/api/user/kick',
      access: 'signed',
      async handle({ body, key }) {
        const { uid, reason } = parseKick(body());
        // Each Worker forgets the user's logins before his connections close and come back.
        const { answers, silent } = await bus.ask('kick', { uid, reason }, { deadlineMs: KICK_DEADLINE_MS });
        const closed = answers.reduce((sum, answer) => sum + answer.result.closed, 0);
        if (log.debugging) log.debug('user.kicked', { uid, key, closed, silent: silent.length });
        return success({ uid, closed, ...missing(silent) } satisfies Kicked);
      },
    },
    {
      method: 'GET',
      pattern: '/api/user/:uid',
      access: 'signed',
      async handle({ params }) {
        const uid = userId(params['uid']);
        const { answers, silent } = await bus.ask('online', { uid }, { deadlineMs: ONLINE_DEADLINE_MS });
        // One that is handed over at this moment is told of by both its Workers.
        const connections = [
          ...new Map(
            answers.flatMap(({ result }) => result.connections).map((one) => [one.session, one]),
          ).values(),
        ];
        return success({
          uid,
          online: connections.length > 0,
          connections,
          ...missing(silent),
        } satisfies UserState);
      },
    },
  ];
}

function userId(text: string | undefined): number {
  const uid = decimalNumber(text ?? '');
  if (uid) return uid;
  throw new SpushError('BAD_REQUEST', `expected a user id (a positive integer), got ${shown(text)}`);
}

function missing(silent: readonly string[]): { silent?: string[] } {
  return silent.length === 0 ? {} : { silent: [...silent] };
}
