/**
 * At level debug each refusal has a line of its own, for whoever looks for one client. A flood costs so many lines a second
 * at most: those above are in the counts of the lines at warn (refusal-log.ts) and in the metrics.
 */
import { type Clock, type Moment, msSince } from '../../shared/base/clock.js';
import type { Log, LogFields } from './log.js';

export const REFUSALS_PER_SECOND_MAX = 1000;

/** To be called only while the log is `debugging`. */
export type EachRefusal = (event: string, fields: LogFields) => void;

export function eachRefusal(log: Pick<Log, 'debug'>, clock: Pick<Clock, 'moment'>): EachRefusal {
  let second: Moment | null = null;
  let lines = 0;
  return (event, fields) => {
    if (second === null || msSince(clock, second) >= 1000) {
      second = clock.moment();
      lines = 0;
    }
    if (lines >= REFUSALS_PER_SECOND_MAX) return;
    lines += 1;
    log.debug(event, fields);
  };
}
