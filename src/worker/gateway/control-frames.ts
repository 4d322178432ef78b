/**
 * Pings and pongs of one connection, counted. They are no commands, so they take no turns, and a chunk of a socket holds ten
 * thousand: who sends them as fast as he can would keep the loop from everybody else.
 */
import type { Clock } from '../../shared/base/clock.js';
import type { Connection } from '../sessions/live-session.js';
import { RateBucket } from './rate-bucket.js';

/** A client that pings every second and answers each of our pings stays a hundred times below. */
export const CONTROL_FRAMES = { perSecond: 100, burst: 1000 };

export class ControlFrames {
  readonly #connection: Pick<Connection, 'open' | 'sendAway'>;
  readonly #clock: Pick<Clock, 'moment'>;
  readonly #rate: RateBucket;

  constructor(connection: Pick<Connection, 'open' | 'sendAway'>, clock: Pick<Clock, 'moment'>) {
    this.#connection = connection;
    this.#clock = clock;
    this.#rate = RateBucket.full(CONTROL_FRAMES, clock.moment());
  }

  /** One has come. False when it does not count: the connection is closed, or is now. */
  take(): boolean {
    if (!this.#connection.open) return false;
    if (this.#rate.take(CONTROL_FRAMES, this.#clock.moment())) return true;
    this.#connection.sendAway('far too many pings or pongs');
    return false;
  }
}
