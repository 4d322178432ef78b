/** What the handlers of commands are given. One file per command; each answers the body of its reply or throws. */
import type { Bus } from '../../../platform/bus/bus.js';
import type { SystemConfig } from '../../../platform/config/config-schema.js';
import type { EachRefusal } from '../../../platform/log/each-refusal.js';
import type { Log } from '../../../platform/log/log.js';
import type { Clock } from '../../../shared/base/clock.js';
import { SpushError } from '../../../shared/base/errors.js';
import type { WsCommandBody, WsCommandName } from '../../../shared/protocol/ws-commands.js';
import type { Replays } from '../../delivery/replay.js';
import type { PageFor, ReaderStore } from '../../readers/reader-store.js';
import { isLoggedIn, type LiveSession, type LoggedInSession } from '../../sessions/live-session.js';
import type { LoginDesk } from '../../sessions/login-desk.js';
import type { WorkerStats } from '../../worker-stats.js';
import type { FrameTurns } from '../frame-turns.js';

export interface CommandDeps {
  readonly store: ReaderStore;
  readonly bus: Pick<Bus, 'publish'>;
  readonly desk: LoginDesk;
  readonly replays: Pick<Replays, 'start'>;
  readonly system: () => SystemConfig;
  readonly frames: Pick<FrameTurns, 'mayTake' | 'wait'>;
  readonly stats: WorkerStats;
  readonly clock: Clock;
  readonly log: Log;
  /** While the log is debugging: logins that are refused, one by one. */
  readonly eachRefusal: EachRefusal;
  /** For what may fail for thousands of commands at once. */
  readonly seldom: Pick<Log, 'warn'>;
}

export interface CommandResult {
  /** A RawJson goes out as it stands. */
  readonly body: object;
  /** Runs after the reply is written. */
  readonly afterReply?: () => void;
}

export type CommandHandler<C extends WsCommandName> = (
  session: LiveSession,
  body: WsCommandBody<C>,
  deps: CommandDeps,
) => Promise<CommandResult> | CommandResult;

/** Whether anybody is there for whom to ask the store. */
export function stillWanted({ connection }: LiveSession): () => boolean {
  return () => connection.open;
}

/** The same for a page of messages: another one may be unsent. */
export function pageFor({ connection }: LiveSession): PageFor {
  return { wanted: () => connection.open, ready: () => connection.flowing };
}

/** The session as a logged-in one; 401 when it is a visitor's. */
export function requireLogin(session: LiveSession): LoggedInSession {
  if (!isLoggedIn(session)) throw new SpushError('UNAUTHORIZED', 'log in first');
  return session;
}
