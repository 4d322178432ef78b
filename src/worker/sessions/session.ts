/** Making sessions, and the memory of what a session has been sent. */
import { randomBytes } from 'node:crypto';
import { type Clock, type Moment, msBetween } from '../../shared/base/clock.js';
import type { SessionData } from '../../shared/domain/session.js';

/** Messages a session remembers as sent. Overlaps of live copies and replays are far shorter; clients drop doubles by id too. */
export const SEEN_MAX = 512;
/** How long they are remembered; longer than any copy can be under way. */
export const SEEN_MS = 120_000;

export function createSessionData(address: string, clock: Clock): SessionData {
  return {
    id: randomBytes(12).toString('base64url'),
    address,
    connectedAt: clock.now(),
    login: null,
    lastTrafficAt: clock.moment(),
    lastHeardAt: clock.moment(),
    unreadable: 0,
    seen: new Map(),
    life: { silentSince: null, probedAt: null, asked: 0, answered: 0, unconfirmed: new Map() },
  };
}

export function noteSeen(seen: SessionData['seen'], id: string, now: Moment): void {
  seen.delete(id);
  seen.set(id, now);
  if (seen.size > SEEN_MAX) {
    const oldest = seen.keys().next();
    if (!oldest.done) seen.delete(oldest.value);
  }
}

/** What a visitor or another user was sent is nobody else's: it says nothing of whether this one has it. */
export function forgetSent({ seen, life }: SessionData): void {
  seen.clear();
  life.unconfirmed.clear();
}

/** Forgets what was sent long ago. */
export function forgetSeen(seen: SessionData['seen'], now: Moment): void {
  for (const [id, at] of seen) {
    if (msBetween(at, now) < SEEN_MS) return;
    seen.delete(id);
  }
}
