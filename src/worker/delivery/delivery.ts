/**
 * From the bus to the sockets of this Worker.
 *
 * Promises: a message reaches every session of its user once while the session remembers it, in order of id within one
 * source (live or replay); what cannot be written now stays pending in the store. Never waits for a reader.
 */
import { type Clock, type Moment, msBetween, nowSeconds } from '../../shared/base/clock.js';
import type { MessageItem } from '../../shared/domain/message.js';
import { idBefore, type MessageId } from '../../shared/domain/message-id.js';
import type { BusEvent } from '../../shared/protocol/bus-events.js';
import { eventText } from '../../shared/protocol/ws-frames.js';
import { textFrame } from '../gateway/text-frame.js';
import { isLoggedIn, type LiveSession, type LoggedInSession } from '../sessions/live-session.js';
import { noteSeen } from '../sessions/session.js';
import type { SessionRegistry } from '../sessions/session-registry.js';
import type { WorkerStats } from '../worker-stats.js';
import { pushFrame } from './push-frame.js';
import type { SentMarks } from './sent-marks.js';

/** Live messages that wait for a running replay of one session; beyond it the replay reads the store once more. */
const HELD_MAX = 200;
/** A broadcast writes to so many sessions, then lets the loop turn. */
const BROADCAST_SLICE = 256;
/** Broadcasts that may wait for their turn; beyond it every session reads them from the store. */
const BROADCASTS_WAITING_MAX = 1000;

export interface DeliveryDeps {
  readonly sessions: SessionRegistry;
  readonly marks: Pick<SentMarks, 'add'>;
  readonly stats: WorkerStats;
  readonly clock: Clock;
  /** Starts a replay for a session that missed live copies, the lowest of them just above `after`. */
  readonly catchUp: (session: LoggedInSession, after: MessageId) => void;
  /** Live copies for everybody were left out: all sessions are to read the store. */
  readonly onLost: () => void;
  /** How long after sending a sweep may send again. */
  readonly resendMs: () => number;
}

type PushEvent = Extract<BusEvent, { t: 'push' }>;
type ReadEvent = Extract<BusEvent, { t: 'read' }>;

export class Delivery {
  readonly #deps: DeliveryDeps;
  readonly #broadcasts: MessageItem[] = [];
  /** The notice that is being written. */
  #current: MessageItem | null = null;

  constructor(deps: DeliveryDeps) {
    this.#deps = deps;
  }

  onEvent(event: BusEvent): void {
    switch (event.t) {
      case 'push': {
        const sessions = this.#deps.sessions.ofUser(event.uid);
        if (sessions.size === 0) return;
        const frame = pushFrame(event.items, nowSeconds(this.#deps.clock));
        for (const session of sessions) this.#push(session, event, frame);
        break;
      }
      case 'notice':
        this.#broadcast(event.item);
        break;
      case 'read': {
        const frame = this.#readFrame(event);
        for (const session of this.#deps.sessions.ofUser(event.uid)) this.#read(session, event, frame);
        break;
      }
    }
  }

  /** The same to one session: what came for it while it was on its way here. What it has seen is left out. */
  onEventFor(session: LiveSession, event: BusEvent): void {
    if (event.t === 'notice') {
      this.#notice(session, event.item, pushFrame([event.item], nowSeconds(this.#deps.clock)), false);
      return;
    }
    if (!isLoggedIn(session) || session.data.login.uid !== event.uid) return;
    if (event.t === 'read') this.#read(session, event, this.#readFrame(event));
    else this.#push(session, event, pushFrame(event.items, nowSeconds(this.#deps.clock)));
  }

  /** Notices under way whose turn has not come for this session; it takes them along when it goes to another Worker. */
  owedTo(session: LiveSession): MessageItem[] {
    const underWay = this.#current ? [this.#current, ...this.#broadcasts] : this.#broadcasts;
    return underWay.filter(({ id }) => !session.data.seen.has(id));
  }

  /** Live messages to one session; those it has seen are left out. */
  liveItems(
    session: LoggedInSession,
    items: readonly MessageItem[],
    options: { again?: boolean; frame?: Buffer } = {},
  ): void {
    const now = this.#deps.clock.moment();
    const fresh = items.filter((item) => !this.#hasSeen(session, item, now, options.again === true));
    if (fresh.length === 0) return;
    const frame = fresh.length === items.length ? options.frame : undefined;
    this.#write(session, fresh, frame ?? pushFrame(fresh, nowSeconds(this.#deps.clock)), now);
  }

  /** A page of a replay; answers how many messages were written. */
  replayItems(session: LoggedInSession, items: readonly MessageItem[], more: boolean): number {
    const now = this.#deps.clock.moment();
    const fresh: MessageItem[] = [];
    for (const item of items) if (!this.#hasSeen(session, item, now, false)) fresh.push(item);
    if (fresh.length === 0) return 0;
    const written = this.#write(session, fresh, pushFrame(fresh, nowSeconds(this.#deps.clock), more), now);
    return written ? fresh.length : 0;
  }

  #push(session: LoggedInSession, { items, again }: PushEvent, frame: Buffer): void {
    if (session.replay) this.#hold(session, items);
    else this.liveItems(session, items, { again: again === true, frame });
  }

  #read(session: LoggedInSession, { session: reader, n }: ReadEvent, frame: Buffer): void {
    if (session.data.id === reader || session.data.seen.has(n)) return;
    session.connection.tell(frame);
    noteSeen(session.data.seen, n, this.#deps.clock.moment());
  }

  #readFrame({ mark }: ReadEvent): Buffer {
    return textFrame(eventText('read', nowSeconds(this.#deps.clock), mark));
  }

  /** Notices go out one after the other, each in slices, so that no broadcast stops the loop. */
  #broadcast(item: MessageItem): void {
    if (this.#broadcasts.length >= BROADCASTS_WAITING_MAX) {
      this.#deps.stats.dropped += this.#deps.sessions.size;
      this.#deps.onLost();
      return;
    }
    this.#broadcasts.push(item);
    if (!this.#current) this.#nextBroadcast();
  }

  #nextBroadcast(): void {
    const item = this.#broadcasts.shift();
    this.#current = item ?? null;
    if (!item) return;
    const frame = pushFrame([item], nowSeconds(this.#deps.clock));
    const sessions = [...this.#deps.sessions.all()];
    let at = 0;
    let marked = false;
    const slice = (): void => {
      for (const end = Math.min(at + BROADCAST_SLICE, sessions.length); at < end; at += 1) {
        const session = sessions[at];
        if (!session?.connection.open) continue;
        marked = this.#notice(session, item, frame, marked) || marked;
      }
      if (at < sessions.length) setImmediate(slice);
      else this.#nextBroadcast();
    };
    slice();
  }

  /** Answers whether the store was told that somebody got it. */
  #notice(session: LiveSession, item: MessageItem, frame: Buffer, marked: boolean): boolean {
    const now = this.#deps.clock.moment();
    if (this.#hasSeen(session, item, now, false)) return false;
    if (!isLoggedIn(session)) {
      // Visitors get notices live only: there is nobody to keep them for.
      if (session.connection.offer(frame) !== 'written') return false;
      noteSeen(session.data.seen, item.id, now);
      this.#deps.stats.pushes += 1;
      return false;
    }
    if (session.replay) {
      this.#hold(session, [item]);
      return false;
    }
    // One mark is enough to call a notice sent: a receipt for each of 100,000 readers would cost more than the push.
    // A client that never acknowledges gets its own when it is known to have the notice, or it would come again at its next login.
    const marks = session.data.login.ack && !marked;
    return this.#write(session, [item], frame, now, marks) && marks;
  }

  #hold(session: LoggedInSession, items: readonly MessageItem[]): void {
    const { replay, data } = session;
    if (!replay) return;
    const waiting = new Set(replay.held.map(({ id }) => id));
    const fresh = items.filter(({ id }) => !data.seen.has(id) && !waiting.has(id));
    if (replay.held.length + fresh.length > HELD_MAX) replay.overflowed = true;
    else replay.held.push(...fresh);
  }

  /** Answers whether it was written; what was not is caught up with from the store. */
  #write(
    session: LoggedInSession,
    items: readonly MessageItem[],
    frame: Buffer,
    now: Moment,
    marks = true,
  ): boolean {
    const { login } = session.data;
    // For a client that never acknowledges, delivered is what is known to have arrived: it is marked then.
    const confirm = login.ack ? undefined : items.map(({ id }) => id);
    const result = session.connection.offer(frame, confirm);
    if (result === 'left-out') this.#leftOut(session, items);
    if (result !== 'written') return false;
    for (const item of items) {
      noteSeen(session.data.seen, item.id, now);
      if (login.ack && marks) this.#deps.marks.add({ uid: login.uid, id: item.id, settled: false });
    }
    this.#deps.stats.pushes += items.length;
    return true;
  }

  #leftOut(session: LoggedInSession, items: readonly MessageItem[]): void {
    this.#deps.stats.dropped += items.length;
    const first = items[0]?.id;
    if (first === undefined || session.missed !== null) return;
    session.missed = first;
    this.#deps.catchUp(session, idBefore(first));
  }

  #hasSeen(session: LiveSession, item: MessageItem, now: Moment, again: boolean): boolean {
    const { seen, life, login } = session.data;
    const at = seen.get(item.id);
    if (at === undefined) return life.unconfirmed.has(item.id);
    // A client that does not acknowledge is not sent again what it may have: it is asked instead.
    return !(again && login?.ack === true && msBetween(at, now) >= this.#deps.resendMs());
  }
}
