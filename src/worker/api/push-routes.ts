/** The three paths on which the main site tells what happened: checked, stored, then answered. */
import type { Config } from '../../platform/config/config-schema.js';
import type { Clock } from '../../shared/base/clock.js';
import { KINDS, type Kind } from '../../shared/domain/kind.js';
import { PUSH_PATHS, parsePush } from '../../shared/protocol/api.js';
import { type AcceptedAnswer, IDS_LISTED_MAX } from '../../shared/protocol/api-answers.js';
import type { Acceptance, AcceptedBatch } from '../delivery/acceptance.js';
import { success } from './answer.js';
import { newMessages } from './new-messages.js';
import type { Route } from './route.js';

export interface PushDeps {
  readonly acceptance: Acceptance;
  readonly config: () => Config;
  readonly clock: Pick<Clock, 'now'>;
}

export function pushRoutes({ acceptance, config, clock }: PushDeps): Route[] {
  const routeOf = (kind: Kind): Route => ({
    method: 'POST',
    pattern: PUSH_PATHS[kind],
    access: 'signed',
    async handle({ body }) {
      const { Deliver, ExpireSeconds } = config().system;
      const messages = newMessages(kind, parsePush(kind, body()), {
        deliver: Deliver[kind],
        expireSeconds: ExpireSeconds,
        now: clock.now(),
      });
      return success(acceptedAnswer(await acceptance.accept(messages)));
    },
  });
  return KINDS.map(routeOf);
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
