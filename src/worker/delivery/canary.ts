/**
 * A reader of our own that no socket belongs to: readiness pushes a message to it through the same delivery as every
 * message goes, and looks whether the finished frame comes out. What is ready can deliver.
 */
import { AssertionError } from '../../shared/base/assert.js';
import type { Clock } from '../../shared/base/clock.js';
import {
  createMessageIdSource,
  type MessageIdSource,
  messageIdFrom,
} from '../../shared/domain/message-id.js';
import type { Connection, LiveSession } from '../sessions/live-session.js';
import { createSessionData } from '../sessions/session.js';
import { SessionRegistry } from '../sessions/session-registry.js';
import { createWorkerStats } from '../worker-stats.js';
import { Delivery } from './delivery.js';

/** No user of the main site: ids there are database keys. */
const CANARY_UID = Number.MAX_SAFE_INTEGER;

export class Canary {
  readonly #delivery: Delivery;
  readonly #ids: MessageIdSource;
  readonly #clock: Clock;
  #heard: Buffer | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#ids = createMessageIdSource(0, clock);
    const sessions = new SessionRegistry();
    const session = this.#session();
    sessions.add(session);
    const login = {
      uid: CANARY_UID,
      channel: 'app',
      keyDigest: '',
      device: null,
      ack: true,
      since: clock.now(),
    } as const;
    sessions.login(session, login);
    this.#delivery = new Delivery({
      sessions,
      marks: { add() {} },
      stats: createWorkerStats(),
      clock,
      catchUp() {},
      onLost() {},
      resendMs: () => 0,
    });
  }

  /** Throws when a message does not come out as the frame it should be. */
  check(): void {
    const id = messageIdFrom(this.#ids.next());
    const item = {
      id,
      kind: 'comment',
      uid: CANARY_UID,
      title: 'canary',
      content: '',
      createdAt: this.#clock.now(),
    } as const;
    this.#heard = null;
    this.#delivery.onEvent({ t: 'push', uid: CANARY_UID, items: [item] });
    if (!(this.#heard as Buffer | null)?.includes(id)) throw new AssertionError('the canary heard nothing');
  }

  #session(): LiveSession {
    const connection: Connection = {
      open: true,
      unsentBytes: 0,
      put: () => {},
      tell: () => {},
      offer: (frame) => {
        this.#heard = frame;
        return 'written';
      },
      drained: () => Promise.resolve(),
      flowing: true,
      emptied: () => Promise.resolve(),
      pause: () => {},
      resume: () => {},
      stalled: () => false,
      lost: () => false,
      end: () => {},
      sendAway: () => {},
      cut: () => {},
    };
    return { data: createSessionData('canary', this.#clock), connection, replay: null, missed: null };
  }
}
