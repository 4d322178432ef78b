/**
 * Which processes there are, on all nodes, so that one that does not answer can be named, and so that the end of one that
 * took news with it is noticed. Each says every two seconds that it is here; after six seconds of silence it may have
 * died, after ten it is away, unless we are the ones who hear nothing. One that is away may still hold sockets, cut off from
 * us: for an hour it is named among those that did not answer, and when it is back it is told what it has to be told.
 */
import {
  type Clock,
  earliestStamp,
  type Moment,
  msBetween,
  msLater,
  msSince,
  type StampedMoment,
  stampedNow,
} from '../../../shared/base/clock.js';
import { type BusIdentity, nodeOf, nodeTitle } from '../bus-identity.js';

export const HERE_EVERY_MS = 2000;
export const SILENT_AFTER_MS = 6000;
export const AWAY_AFTER_MS = 10_000;
export const FORGET_AFTER_MS = 3_600_000;
/** Far more processes than any site has. */
const MEMBERS_MAX = 10_000;

export interface Member extends BusIdentity {
  /** It holds sockets, so it is asked. */
  readonly holds: boolean;
}

interface Entry {
  readonly member: Member;
  heard: StampedMoment;
  silent: boolean;
}

export class Members {
  readonly #clock: Clock;
  readonly #byNode = new Map<string, Entry>();
  /** Ended without a word, or cut off. */
  readonly #away = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True when it was not known. */
  here(member: Member): boolean {
    const known = this.#byNode.has(member.node);
    if (!known && this.#byNode.size >= MEMBERS_MAX) return false;
    this.#byNode.set(member.node, { member, heard: stampedNow(this.#clock), silent: false });
    if (!known) this.#replaces(member);
    return !known;
  }

  /** Takes a process off the away list; returns when it was heard of last, null when it was not on the list. */
  isBack(node: string): Moment | null {
    const entry = this.#away.get(node);
    this.#away.delete(node);
    return entry?.heard.at ?? null;
  }

  /**
   * From when on a process may have missed what was said to all; null: it missed nothing. Takes it off the away list.
   *
   * @param deafMs for how long it says that it did not hear
   */
  deafSince(node: string, deafMs: number | undefined): Moment | null {
    const away = this.isBack(node);
    if (deafMs === undefined) return away;
    const told = msLater(this.#clock.moment(), -deafMs);
    return away !== null && msBetween(away, told) > 0 ? away : told;
  }

  gone(node: string): void {
    this.#byNode.delete(node);
    this.#away.delete(node);
  }

  /** Holders of sockets that may be there, and cannot be asked. */
  away(): Member[] {
    return [...this.#away.values()].flatMap(({ member }) => (member.holds ? [member] : []));
  }

  /** Forgets those away whose place (name of the node, and title) this process has taken. */
  #replaces(member: Member): void {
    for (const [node, { member: other }] of this.#away)
      if (isSamePlace(other, member)) this.#away.delete(node);
  }

  #hasSuccessor(member: Member): boolean {
    return [...this.#byNode.values()].some((entry) => isSamePlace(entry.member, member));
  }

  /** Nothing was heard of anybody for a while, for a reason of our own: everybody's time begins anew. */
  excuse(): void {
    const heard = stampedNow(this.#clock);
    for (const entry of this.#byNode.values()) entry.heard = heard;
  }

  missAway(): void {
    for (const [node, entry] of this.#byNode) {
      if (msSince(this.#clock, entry.heard.at) <= AWAY_AFTER_MS) continue;
      this.#byNode.delete(node);
      if (this.#away.size < MEMBERS_MAX && !this.#hasSuccessor(entry.member)) this.#away.set(node, entry);
    }
    for (const [node, { heard }] of this.#away)
      if (msSince(this.#clock, heard.at) > FORGET_AFTER_MS) this.#away.delete(node);
  }

  /** Those that have become silent since this was asked last, and when each was heard of last (Unix ms). */
  newlySilent(): { readonly member: Member; readonly at: number }[] {
    const found = [...this.#byNode.values()].filter(
      ({ heard, silent }) => !silent && msSince(this.#clock, heard.at) > SILENT_AFTER_MS,
    );
    for (const entry of found) entry.silent = true;
    return found.map(({ member, heard }) => ({ member, at: earliestStamp(this.#clock, heard) }));
  }

  holding(): Member[] {
    return [...this.#byNode.values()].flatMap(({ member }) => (member.holds ? [member] : []));
  }
}

/** The one was started in the place of the other. */
function isSamePlace(one: Member, other: Member): boolean {
  return one.process === other.process && nodeOf(one).name === nodeOf(other).name;
}

/** As it is named in answers: `web1-5f3a9c0e/spush.websocket.Worker.0`. */
export function memberName(member: BusIdentity): string {
  return `${nodeTitle(nodeOf(member))}/${member.process}`;
}
