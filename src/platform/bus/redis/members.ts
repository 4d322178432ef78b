/**
 * Which processes there are, on all nodes, so that one that does not answer can be named, and so that the end of one that
 * took news with it is noticed. Each says every two seconds that it is here; after six seconds of silence it may have
 * died, after ten it is forgotten, unless we are the ones who hear nothing.
 */
import {
  type Clock,
  earliestStamp,
  msSince,
  type StampedMoment,
  stampedNow,
} from '../../../shared/base/clock.js';
import { type BusIdentity, nodeOf, nodeTitle } from '../bus-identity.js';

export const HERE_EVERY_MS = 2000;
export const SILENT_AFTER_MS = 6000;
export const FORGET_AFTER_MS = 10_000;
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

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True when it was not known. */
  here(member: Member): boolean {
    const known = this.#byNode.has(member.node);
    if (!known && this.#byNode.size >= MEMBERS_MAX) return false;
    this.#byNode.set(member.node, { member, heard: stampedNow(this.#clock), silent: false });
    return !known;
  }

  gone(node: string): void {
    this.#byNode.delete(node);
  }

  /** Nothing was heard of anybody for a while, for a reason of our own: everybody's time begins anew. */
  excuse(): void {
    const heard = stampedNow(this.#clock);
    for (const entry of this.#byNode.values()) entry.heard = heard;
  }

  forget(): void {
    for (const [node, { heard }] of this.#byNode)
      if (msSince(this.#clock, heard.at) > FORGET_AFTER_MS) this.#byNode.delete(node);
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

/** As it is named in answers: `web1-5f3a9c0e/spush.websocket.Worker.0`. */
export function memberName(member: BusIdentity): string {
  return `${nodeTitle(nodeOf(member))}/${member.process}`;
}
