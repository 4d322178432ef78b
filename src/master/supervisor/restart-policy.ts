/**
 * When a child that died is started again.
 *
 * At once after a death in good health; ever later when it dies again and again; and once it is clear that starting it
 * does not help (a crash loop), only once a minute, which is an error in the log and a state of its own. A child that
 * somebody ended from outside (SIGKILL, SIGTERM, or in order by itself) while it was at work is not to blame for it.
 */
import { type Moment, msBetween } from '../../shared/base/clock.js';

export const BACKOFF_MS = [0, 500, 1000, 2000, 4000] as const;
/** At work for so long, a child counts as healthy again. */
export const HEALTHY_MS = 5000;
export const CRASH_WINDOW_MS = 60_000;
/** Deaths within the window that are a crash loop. */
export const CRASHES_MAX = 10;
/** Deaths in a row, without having been healthy, that are one: the sixth start has not helped either. */
export const CRASHES_IN_A_ROW_MAX = BACKOFF_MS.length + 1;
export const CRASH_LOOP_PAUSE_MS = 60_000;

export interface Death {
  readonly at: Moment;
  /** How long it had been ready; null when it never was. */
  readonly readyMs: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly exitCode: number | null;
}

export interface Restart {
  readonly delayMs: number;
  readonly crashLoop: boolean;
}

export class RestartPolicy {
  /** When those deaths were that count, oldest first. */
  #crashes: Moment[] = [];
  #inARow = 0;

  afterDeath(death: Death): Restart {
    if (death.readyMs !== null && isFromOutside(death)) return { delayMs: 0, crashLoop: false };
    this.#inARow = death.readyMs !== null && death.readyMs >= HEALTHY_MS ? 1 : this.#inARow + 1;
    this.#crashes = this.#crashes.filter((at) => msBetween(at, death.at) < CRASH_WINDOW_MS);
    this.#crashes.push(death.at);
    if (this.#crashes.length >= CRASHES_MAX || this.#inARow >= CRASHES_IN_A_ROW_MAX) {
      return { delayMs: CRASH_LOOP_PAUSE_MS, crashLoop: true };
    }
    return { delayMs: BACKOFF_MS[this.#inARow - 1] ?? CRASH_LOOP_PAUSE_MS, crashLoop: false };
  }
}

function isFromOutside({ signal, exitCode }: Death): boolean {
  return signal === 'SIGKILL' || signal === 'SIGTERM' || exitCode === 0;
}
