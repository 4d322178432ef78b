/** Warnings that could come by the thousand: each event is logged once a second at most, with the fields of that moment. */
import type { Clock } from '../../shared/base/clock.js';
import type { Log } from './log.js';

const EVERY_MS = 1000;

export function seldomLog(log: Log, clock: Clock): Pick<Log, 'warn'> {
  const loggedAt = new Map<string, number>();
  return {
    warn(event, fields) {
      const now = clock.now();
      if (Math.abs(now - (loggedAt.get(event) ?? Number.NEGATIVE_INFINITY)) < EVERY_MS) return;
      loggedAt.set(event, now);
      log.warn(event, fields);
    },
  };
}
