/**
 * The bus has lost something: every logged-in session reads the store again, spread over a few seconds, so that the store
 * is not asked for everybody at once.
 */
import { isLoggedIn, type LoggedInSession } from '../sessions/live-session.js';
import type { SessionRegistry } from '../sessions/session-registry.js';
import type { Replays } from './replay.js';

const SPREAD_MS = 3000;
const SLICES = 30;

export class GapSweep {
  readonly #sessions: SessionRegistry;
  readonly #replays: Pick<Replays, 'start'>;
  #timer: NodeJS.Timeout | null = null;
  #again = false;
  #waiting: Set<LoggedInSession> = new Set();

  constructor(deps: { sessions: SessionRegistry; replays: Pick<Replays, 'start'> }) {
    this.#sessions = deps.sessions;
    this.#replays = deps.replays;
  }

  /** While one is running, another follows it: what it has done already may be behind the new gap. */
  start(): void {
    this.#again = true;
    if (this.#timer === null) this.#begin();
  }

  stop(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#again = false;
    this.#waiting.clear();
  }

  /** Whether this session has still to read the store: it takes that along when it goes to another Worker. */
  owes(session: LoggedInSession): boolean {
    return this.#again || this.#waiting.has(session);
  }

  #begin(): void {
    this.#again = false;
    this.#waiting = new Set([...this.#sessions.all()].filter(isLoggedIn));
    this.#later(Math.ceil(this.#waiting.size / SLICES));
  }

  #later(slice: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = null;
      let done = 0;
      for (const session of this.#waiting) {
        if (done >= slice) break;
        done += 1;
        this.#waiting.delete(session);
        if (session.connection.open && isLoggedIn(session)) this.#replays.start(session, null);
      }
      if (this.#waiting.size > 0) this.#later(slice);
      else if (this.#again) this.#begin();
    }, SPREAD_MS / SLICES);
  }
}
