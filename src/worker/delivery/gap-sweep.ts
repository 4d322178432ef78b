/**
 * The bus has lost something: every logged-in session reads the store again, spread over a few seconds, so that the store
 * is not asked for everybody at once.
 */
import { isLoggedIn, type LoggedInSession } from '../sessions/live-session.js';
import type { SessionRegistry } from '../sessions/session-registry.js';
import { earlier, type Gap } from './gap.js';
import type { Replays } from './replay.js';

const SPREAD_MS = 3000;
const SLICES = 30;

export class GapSweep {
  readonly #sessions: SessionRegistry;
  readonly #replays: Pick<Replays, 'startAfter'>;
  #timer: NodeJS.Timeout | null = null;
  /** What the next round is for, and what the one that is running is for. */
  #next: Gap | null = null;
  #current: Gap | null = null;
  #waiting: Set<LoggedInSession> = new Set();

  constructor(deps: { sessions: SessionRegistry; replays: Pick<Replays, 'startAfter'> }) {
    this.#sessions = deps.sessions;
    this.#replays = deps.replays;
  }

  /** While one is running, another follows it: what it has done already may be behind the new gap. */
  start(gap: Gap): void {
    this.#next = earlier(this.#next, gap);
    if (this.#timer === null) this.#begin();
  }

  stop(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#next = null;
    this.#waiting.clear();
  }

  /** The gap for which this session has still to read the store: it takes that along when it goes to another Worker. */
  owes(session: LoggedInSession): Gap | null {
    if (!this.#waiting.has(session)) return this.#next;
    return earlier(this.#current, this.#next);
  }

  #begin(): void {
    this.#current = this.#next;
    this.#next = null;
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
        if (this.#current && session.connection.open && isLoggedIn(session))
          this.#replays.startAfter(this.#current, session);
      }
      if (this.#waiting.size > 0) this.#later(slice);
      else if (this.#next) this.#begin();
    }, SPREAD_MS / SLICES);
  }
}
