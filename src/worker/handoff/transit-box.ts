/**
 * What comes for sessions that are on their way between two Workers: both keep it, and whoever has the session in the end
 * gives it to it; what it has seen by then is dropped by id.
 */
import type { Clock } from '../../shared/base/clock.js';
import type { BusEvent } from '../../shared/protocol/bus-events.js';
import { busEventUid } from '../../shared/protocol/bus-events.js';
import type { ExpectedSession } from '../../shared/protocol/handoff.js';
import type { Questions } from '../../shared/protocol/questions.js';
import { earlier, type Gap, recentGap } from '../delivery/gap.js';

/** Events kept for one session; beyond it the session reads the store once more. */
const EVENTS_MAX = 200;

export interface Kept {
  readonly events: readonly BusEvent[];
  /** More came than was kept, or the bus lost something: the store has it. */
  readonly gap: Gap | null;
  /** The site closed this user's connections meanwhile. */
  readonly kicked: Kick | null;
}

type Kick = Questions['kick']['args'];

interface Entry {
  readonly uid: number | null;
  readonly events: BusEvent[];
  gap: Gap | null;
  kicked: Kick | null;
}

export class TransitBox {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #entries = new Map<string, Entry>();
  readonly #byUid = new Map<number, Set<Entry>>();

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#entries.size;
  }

  has(id: string): boolean {
    return this.#entries.has(id);
  }

  expect({ id, uid }: ExpectedSession): void {
    this.take(id);
    const entry: Entry = { uid, events: [], gap: null, kicked: null };
    this.#entries.set(id, entry);
    if (uid === null) return;
    const ofUser = this.#byUid.get(uid);
    if (ofUser) ofUser.add(entry);
    else this.#byUid.set(uid, new Set([entry]));
  }

  onEvent(event: BusEvent): void {
    const uid = busEventUid(event);
    for (const entry of uid === null ? this.#entries.values() : (this.#byUid.get(uid) ?? [])) {
      if (entry.events.length < EVENTS_MAX) entry.events.push(event);
      else entry.gap ??= recentGap(this.#clock);
    }
  }

  onGap(gap: Gap): void {
    for (const entry of this.#entries.values()) entry.gap = earlier(entry.gap, gap);
  }

  onKick(kick: Kick): void {
    // A late one must not take the place of one of now.
    for (const entry of this.#byUid.get(kick.uid) ?? []) if (!entry.kicked || !kick.late) entry.kicked = kick;
  }

  /** Ends the keeping; null when this session was not expected. */
  take(id: string): (Kept & { readonly uid: number | null }) | null {
    const entry = this.#entries.get(id);
    if (!entry) return null;
    this.#entries.delete(id);
    if (entry.uid !== null) {
      const ofUser = this.#byUid.get(entry.uid);
      ofUser?.delete(entry);
      if (ofUser?.size === 0) this.#byUid.delete(entry.uid);
    }
    return entry;
  }
}
