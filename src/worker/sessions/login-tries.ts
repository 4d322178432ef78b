/**
 * How many refused logins an address may have in a minute. The place of a login is taken before the main site is asked and
 * given back when the key was somebody's, so that guesses that come together are counted as those that come in turn. When all
 * places are taken by logins under way, the next ones wait for them: a school whose pupils come back together has every
 * one of them logged in, and somebody who guesses asks the main site no more often than he may.
 */
import { type Clock, type Moment, msSince } from '../../shared/base/clock.js';
import { isSpushError, SpushError } from '../../shared/base/errors.js';

/** Addresses with refused logins that are remembered; when full the oldest minute is forgotten with all its addresses. */
const REFUSALS_MAX = 100_000;
const MINUTE_MS = 60_000;

/** The logins of an address that are under way, and those that wait; a connection has one at a time. */
interface Line {
  running: number;
  readonly waiting: ((mayTry: boolean) => void)[];
}

export interface LoginTriesOptions {
  readonly clock: Pick<Clock, 'moment'>;
  /** Refused logins of an address in a minute, now. */
  readonly max: () => number;
  readonly onRefused: (reason: 'login' | 'login-tries', address: string) => void;
}

export class LoginTries {
  readonly #clock: Pick<Clock, 'moment'>;
  readonly #max: () => number;
  readonly #onRefused: LoginTriesOptions['onRefused'];
  readonly #lines = new Map<string, Line>();
  #refusals = new Map<string, number>();
  #minuteStartedAt: Moment;

  constructor({ clock, max, onRefused }: LoginTriesOptions) {
    this.#clock = clock;
    this.#max = max;
    this.#onRefused = onRefused;
    this.#minuteStartedAt = clock.moment();
  }

  /** Throws TOO_MANY without a try. A LOGIN_REFUSED of `login` counts. */
  async run<T>(address: string, login: () => Promise<T>): Promise<T> {
    const line = this.#lineOf(address);
    if (!(await this.#enter(address, line))) {
      this.#onRefused('login-tries', address);
      throw new SpushError('TOO_MANY', 'too many refused logins from this address: try again in a minute');
    }
    try {
      return await login();
    } catch (error) {
      if (isSpushError(error, 'LOGIN_REFUSED')) {
        this.#refused(address);
        this.#onRefused('login', address);
      }
      throw error;
    } finally {
      line.running -= 1;
      this.#next(address, line);
    }
  }

  #enter(address: string, line: Line): boolean | Promise<boolean> {
    this.#turnMinute();
    const left = this.#left(address);
    if (left <= 0) return false;
    if (line.running >= left) return new Promise((resolve) => line.waiting.push(resolve));
    line.running += 1;
    this.#lines.set(address, line);
    return true;
  }

  /** Who waits goes on, in order of arrival, or is refused when nothing is left. */
  #next(address: string, line: Line): void {
    this.#turnMinute();
    const left = this.#left(address);
    if (left <= 0) for (const refuse of line.waiting.splice(0)) refuse(false);
    for (const enter of line.waiting.splice(0, Math.max(0, left - line.running))) {
      line.running += 1;
      enter(true);
    }
    if (line.running === 0) this.#lines.delete(address);
  }

  #lineOf(address: string): Line {
    return this.#lines.get(address) ?? { running: 0, waiting: [] };
  }

  #left(address: string): number {
    return this.#max() - (this.#refusals.get(address) ?? 0);
  }

  #refused(address: string): void {
    this.#turnMinute();
    this.#refusals.set(address, (this.#refusals.get(address) ?? 0) + 1);
  }

  #turnMinute(): void {
    const isOver = msSince(this.#clock, this.#minuteStartedAt) >= MINUTE_MS;
    if (!isOver && this.#refusals.size < REFUSALS_MAX) return;
    this.#minuteStartedAt = this.#clock.moment();
    this.#refusals = new Map();
  }
}
