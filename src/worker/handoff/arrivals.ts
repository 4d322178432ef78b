/**
 * The new side of a hand-over. A session is announced first: from then on its user is followed and what comes for it is
 * kept. Its connection is touched only after `adopted` is in the channel to the master: were this process to end before,
 * the old Worker would still have it whole.
 */
import type { Log } from '../../platform/log/log.js';
import type { MasterPeer } from '../../platform/rpc/master-link.js';
import type { SentHandle } from '../../platform/rpc/peer.js';
import { assert } from '../../shared/base/assert.js';
import { type Clock, momentOf, msSince } from '../../shared/base/clock.js';
import { errorText } from '../../shared/base/errors.js';
import type { ExpectedSession, TravellingSession } from '../../shared/protocol/handoff.js';
import type { AddressBudget } from '../gateway/address-budget.js';
import type { Gateway } from '../gateway/gateway.js';
import type { UserFollows } from '../sessions/user-follows.js';
import type { Places, VisitorPlaces } from '../sessions/visitor-places.js';
import type { Reception } from './reception.js';
import { closeCopy, socketFromHandle } from './socket-surgery.js';
import type { TransitBox } from './transit-box.js';

export interface ArrivalsDeps {
  readonly peer: Pick<MasterPeer, 'note'>;
  readonly transit: TransitBox;
  readonly follows: UserFollows;
  readonly reception: Reception;
  readonly gateway: Pick<Gateway, 'forget' | 'hasRoom'>;
  readonly links: Pick<Places, 'arrived'>;
  readonly visitors: Pick<VisitorPlaces, 'arrived'>;
  readonly budget: Pick<AddressBudget, 'addLink'>;
  readonly budgetKey: (address: string) => string | null;
  readonly onAdopted: (pausedMs: number) => void;
  readonly clock: Pick<Clock, 'moment'>;
  readonly log: Log;
}

export class Arrivals {
  readonly #deps: ArrivalsDeps;
  /** Told to the master as this Worker's, and not in service yet. */
  readonly #adopting = new Set<string>();

  constructor(deps: ArrivalsDeps) {
    this.#deps = deps;
  }

  /** Resolves when everything for these sessions reaches this process. */
  async expect(sessions: readonly ExpectedSession[]): Promise<void> {
    const { transit, follows } = this.#deps;
    const following: Promise<void>[] = [];
    for (const session of sessions) {
      this.#drop(session.id);
      transit.expect(session);
      if (session.uid !== null) following.push(follows.follow(session.uid));
    }
    try {
      await Promise.all(following);
    } catch (error) {
      this.cancel(sessions.map(({ id }) => id));
      throw error;
    }
  }

  cancel(ids: readonly string[]): void {
    for (const id of ids) if (!this.#adopting.has(id)) this.#drop(id);
  }

  onSession(travelling: TravellingSession, handle: SentHandle): void {
    const { transit, peer, reception, gateway, clock, log } = this.#deps;
    const { id } = travelling;
    const refuse = (reason: string): void => {
      log.warn('handoff.refused', { session: id, reason });
      this.#drop(id);
      peer.note('handoff.refused', { id, reason });
    };
    if (!transit.has(id)) {
      handle.close();
      refuse('it was not announced');
      return;
    }
    if (!gateway.hasRoom) {
      handle.close();
      refuse('this process has no descriptor for another connection');
      return;
    }
    const socket = socketFromHandle(handle);
    try {
      const attached = reception.prepare(travelling, socket, Buffer.from(travelling.head, 'base64'));
      const pausedMs = Math.max(0, msSince(clock, momentOf(travelling.leftAt)));
      this.#adopting.add(id);
      peer.note('handoff.adopted', { id, pausedMs }, (error) => {
        this.#adopting.delete(id);
        // Without a master this process ends; the connection is still its old Worker's.
        if (error) {
          gateway.forget(attached.session);
          closeCopy(socket);
          return;
        }
        const kept = transit.take(id);
        assert(kept !== null, 'an announced session is kept until it is served');
        this.#takePlaces(attached.session, travelling);
        reception.serve(attached, travelling, kept);
        this.#deps.onAdopted(pausedMs);
      });
    } catch (error) {
      closeCopy(socket);
      refuse(errorText(error));
    }
  }

  #takePlaces(session: Parameters<VisitorPlaces['arrived']>[0], travelling: TravellingSession): void {
    const { links, visitors, budget, budgetKey } = this.#deps;
    links.arrived();
    if (travelling.holdsVisitorPlace) visitors.arrived(session);
    const key = budgetKey(travelling.address);
    if (key !== null) budget.addLink(key);
  }

  /** Nothing is kept any longer, and its user is followed only as far as others need it. */
  #drop(id: string): void {
    const kept = this.#deps.transit.take(id);
    if (kept && kept.uid !== null) this.#deps.follows.unfollow(kept.uid);
  }
}
