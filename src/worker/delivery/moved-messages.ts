/**
 * Messages that the store got from the spill are told once more to whoever is online: the bus may have been away when they
 * were accepted, and who logged in meanwhile could not read them. Sessions that have them already drop them by their ids.
 */
import type { Bus } from '../../platform/bus/bus.js';
import type { MessageItem } from '../../shared/domain/message.js';
import { PUSH_ITEMS_MAX } from '../../shared/protocol/ws-frames.js';

export class MovedMessages {
  #bus: Pick<Bus, 'publish'> | null = null;

  /** The store is opened before the bus; what is moved in between is read by those who log in. */
  open(bus: Pick<Bus, 'publish'>): void {
    this.#bus = bus;
  }

  publish(items: readonly MessageItem[]): void {
    const ofUsers = new Map<number, MessageItem[]>();
    for (const item of items) {
      if (item.uid === undefined) this.#bus?.publish({ t: 'notice', item });
      else ofUsers.set(item.uid, [...(ofUsers.get(item.uid) ?? []), item]);
    }
    for (const [uid, own] of ofUsers)
      for (let at = 0; at < own.length; at += PUSH_ITEMS_MAX)
        this.#bus?.publish({ t: 'push', uid, items: own.slice(at, at + PUSH_ITEMS_MAX) });
  }
}
