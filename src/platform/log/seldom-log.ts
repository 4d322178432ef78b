/** Warnings that could come by the thousand: each event is logged once a second at most, with the fields of that moment. */
import { type Clock, type Moment, msBetween } from '../../shared/base/clock.js';
import type { Log } from './log.js';

const EVERY_MS = 1000;

export function seldomLog(log: Log, clock: Pick<Clock, 'moment'>): Pick<Log, 'warn'> {
  const loggedAt = new Map<string, Moment>();
  return {
    warn(event, fields) {
      const now = clock.moment();
      const before = loggedAt.get(event);
      if (before !== undefined && msBetween(before, now) < EVERY_MS) return;
      loggedAt.set(event, now);
      log.warn(event, fields);
    },
  };
}
