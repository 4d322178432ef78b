/**
 * Who is turned away, and why: for each reason and address a line at the first time, then one in ten seconds at most, with how
 * often it happened since the last one. Whoever is not among the addresses that are remembered shares a line with the others.
 * At level debug each has a line of its own besides (each-refusal.ts).
 */
import { type Clock, type Moment, msBetween } from '../../shared/base/clock.js';
import { eachRefusal } from './each-refusal.js';
import type { Log, LogFields } from './log.js';

export const REFUSALS_EVERY_MS = 10_000;
/** So this is about the most lines of one event in ten seconds. */
export const REFUSED_PAIRS_MAX = 256;
export const OTHERS = 'others';

export interface RefusalFields extends LogFields {
  readonly reason: string;
  readonly address: string;
}

export interface RefusalLog {
  warn(event: string, fields: RefusalFields): void;
}

interface Pair {
  readonly loggedAt: Moment;
  /** Refused since then. */
  readonly unsaid: number;
  readonly last: RefusalFields;
  readonly event: string;
}

/** @param hasOwnLines the refused thing says itself at level debug that it was refused */
export function refusalLog(
  log: Pick<Log, 'warn' | 'debug' | 'debugging'>,
  clock: Pick<Clock, 'moment'>,
  { hasOwnLines = false }: { readonly hasOwnLines?: boolean } = {},
): RefusalLog {
  const each = eachRefusal(log, clock);
  /** In the order of their last lines. */
  const pairs = new Map<string, Pair>();
  /** As few as there are reasons. */
  const others = new Map<string, Pair>();

  function isRecent({ loggedAt }: Pair, now: Moment): boolean {
    return msBetween(loggedAt, now) < REFUSALS_EVERY_MS;
  }

  /** Room for one more, if somebody was silent for long enough; what was not said of him is said now. */
  function makeRoom(now: Moment): boolean {
    if (pairs.size < REFUSED_PAIRS_MAX) return true;
    const [oldest] = pairs;
    if (!oldest || isRecent(oldest[1], now)) return false;
    const [key, { event, last, unsaid }] = oldest;
    pairs.delete(key);
    if (unsaid > 0) log.warn(event, { ...last, count: unsaid });
    return true;
  }

  function count(among: Map<string, Pair>, event: string, last: RefusalFields, now: Moment): void {
    const key = `${event} ${last.reason} ${last.address}`;
    const pair = among.get(key);
    if (pair && isRecent(pair, now)) {
      among.set(key, { ...pair, last, unsaid: pair.unsaid + 1 });
      return;
    }
    // Behind those whose lines are older.
    among.delete(key);
    among.set(key, { event, last, loggedAt: now, unsaid: 0 });
    log.warn(event, { ...last, count: 1 + (pair?.unsaid ?? 0) });
  }

  return {
    warn(event, fields) {
      if (log.debugging && !hasOwnLines) each(event, fields);
      const now = clock.moment();
      const isKnown = pairs.has(`${event} ${fields.reason} ${fields.address}`);
      if (isKnown || makeRoom(now)) count(pairs, event, fields, now);
      else count(others, event, { ...fields, address: OTHERS }, now);
    },
  };
}
