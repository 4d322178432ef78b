/** The three paths on which the main site tells what happened: checked, stored, then answered. */
import type { Config } from '../../platform/config/config-schema.js';
import type { Log, LogFields } from '../../platform/log/log.js';
import type { Clock } from '../../shared/base/clock.js';
import { KINDS, type Kind } from '../../shared/domain/kind.js';
import { PUSH_PATHS, parsePush } from '../../shared/protocol/api.js';
import { type AcceptedAnswer, IDS_LISTED_MAX } from '../../shared/protocol/api-answers.js';
import type { Acceptance, AcceptedBatch } from '../delivery/acceptance.js';
import { success } from './answer.js';
import { newMessages } from './new-messages.js';
import type { Route } from './route.js';

/** Of one call; how many there are is told by `targets`. */
const IDS_LOGGED_MAX = 10;

export interface PushDeps {
  readonly acceptance: Acceptance;
  readonly config: () => Config;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Pick<Log, 'debug' | 'debugging'>;
}

export function pushRoutes({ acceptance, config, clock, log }: PushDeps): Route[] {
  const routeOf = (kind: Kind): Route => ({
    method: 'POST',
    pattern: PUSH_PATHS[kind],
    access: 'signed',
    async handle({ body, key }) {
      const { Deliver, ExpireSeconds } = config().system;
      const messages = newMessages(kind, parsePush(kind, body()), {
        deliver: Deliver[kind],
        expireSeconds: ExpireSeconds,
        now: clock.now(),
      });
      const batch = await acceptance.accept(messages);
      if (log.debugging) log.debug('api.pushed', pushedFields(kind, key, batch));
      return success(acceptedAnswer(batch));
    },
  });
  return KINDS.map(routeOf);
}

/** Whom it was for is told by the ids: `spush message show`. */
function pushedFields(
  kind: Kind,
  key: string | null,
  { accepted, duplicates, spilled, ids }: AcceptedBatch,
): LogFields {
  const named = ids.slice(0, IDS_LOGGED_MAX).join(',');
  return { kind, key, targets: ids.length, accepted, duplicates, spilled, ids: named };
}

function acceptedAnswer({ accepted, duplicates, spilled, ids }: AcceptedBatch): AcceptedAnswer {
  return {
    accepted,
    duplicates,
    ...(spilled > 0 ? { spilled } : {}),
    ids: ids.slice(0, IDS_LISTED_MAX),
    ...(ids.length > IDS_LISTED_MAX ? { idsTruncated: true as const } : {}),
  };
}
