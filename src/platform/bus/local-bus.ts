/**
 * The bus of one node: parcels go to the master, which routes them to the other processes. Nothing but the IPC channel is
 * needed, so it is what PUSHENV 0 uses.
 *
 * The events of one turn of the loop travel together, in order. What this process publishes reaches its own listener
 * without the detour. What arrives is checked; what does not fit is counted and logged, never thrown. When the channel
 * does not take parcels any more they are dropped, and those who miss them are told that they have a gap.
 *
 * A user is followed or not, however often `follow` was called: one `unfollow` ends it.
 */
import { errorText, SpushError } from '../../shared/base/errors.js';
import { type BusEvent, busEventText, busEventUid, parseBusEvent } from '../../shared/protocol/bus-events.js';
import type { BusParcel, ToChild, ToMaster } from '../../shared/protocol/ipc.js';
import type { Answers, QuestionName, Questions } from '../../shared/protocol/questions.js';
import type { Log } from '../log/log.js';
import type { Peer } from '../rpc/peer.js';
import type { Bus, BusListener, ProbeResult } from './bus.js';
import { eventPieces } from './event-pieces.js';
import { OwnEvents } from './own-events.js';

/** Parcels that may be on their way to a master that does not read; above it they are dropped. Characters, about bytes. */
export const BUS_UNSENT_CHARS_MAX = 64 * 1024 * 1024;
/** A note carries about so much, so that neither side works on one for long. */
const NOTE_CHARS = 256 * 1024;
const FOLLOW_DEADLINE_MS = 10_000;
/** The master gathers answers up to the asker's deadline; its own answer needs a moment more. */
const ASK_MARGIN_MS = 500;

export interface LocalBusOptions {
  readonly peer: Pick<Peer<ToChild, ToMaster>, 'call' | 'note'>;
  /** Absent in processes that hold no sockets: they publish and ask only. */
  readonly listener?: BusListener;
  readonly log: Log;
}

export interface BusCounts {
  published: number;
  received: number;
  /** Arrived and did not fit the schema. */
  bad: number;
  dropped: number;
}

export class LocalBus implements Bus {
  readonly counts: BusCounts = { published: 0, received: 0, bad: 0, dropped: 0 };
  readonly #peer: LocalBusOptions['peer'];
  readonly #listener: BusListener | null;
  readonly #log: Log;
  readonly #followed = new Set<number>();
  #parcels: BusParcel[] = [];
  #parcelChars = 0;
  readonly #ownEvents = new OwnEvents((event) => {
    if (!this.#closed) this.#listener?.onEvent(event);
  });
  #sending: NodeJS.Immediate | null = null;
  #unsentChars = 0;
  #lost = false;
  #closed = false;

  constructor(options: LocalBusOptions) {
    this.#peer = options.peer;
    this.#listener = options.listener ?? null;
    this.#log = options.log;
  }

  publish(event: BusEvent): void {
    if (this.#closed) return;
    for (const piece of eventPieces(event)) this.#publishOne(piece);
  }

  #publishOne(event: BusEvent): void {
    this.counts.published += 1;
    const to = busEventUid(event);
    if (this.#listener && (to === null || this.#followed.has(to))) this.#ownEvents.put(event);
    this.#put({ to, text: busEventText(event) });
  }

  /** When it fails, whoever follows the user no more has to say so: another caller may have succeeded meanwhile. */
  async follow(uid: number): Promise<void> {
    this.#followed.add(uid);
    await this.#peer.call('bus.follow', { uid }, { deadlineMs: FOLLOW_DEADLINE_MS });
  }

  unfollow(uid: number): void {
    if (this.#followed.delete(uid)) this.#peer.note('bus.unfollow', { uid });
  }

  async ask<Q extends QuestionName>(
    question: Q,
    args: Questions[Q]['args'],
    options: { deadlineMs: number },
  ): Promise<Answers<Questions[Q]['result']>> {
    const { deadlineMs } = options;
    const answers = await this.#peer.call(
      'workers.ask',
      { question, args, deadlineMs },
      { deadlineMs: deadlineMs + ASK_MARGIN_MS },
    );
    return answers as Answers<Questions[Q]['result']>;
  }

  async probe(options: { deadlineMs: number }): Promise<ProbeResult> {
    this.#send();
    if (this.#lost) throw new SpushError('RPC_BUSY', 'the master does not take parcels at the moment');
    await this.#peer.call('bus.probe', {}, options);
    return { complete: true };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#send();
    for (const uid of this.#followed) this.#peer.note('bus.unfollow', { uid });
    this.#followed.clear();
  }

  /** The master's `bus` note. */
  receive(texts: readonly string[]): void {
    const listener = this.#listener;
    if (!listener || this.#closed) return;
    let fault: string | null = null;
    for (const text of texts) {
      const event = parseEvent(text);
      if (typeof event === 'string') {
        this.counts.bad += 1;
        fault ??= event;
        continue;
      }
      this.counts.received += 1;
      const to = busEventUid(event);
      if (to === null || this.#followed.has(to)) listener.onEvent(event);
    }
    if (fault !== null) this.#log.warn('bus.badEvent', { fault, bad: this.counts.bad });
  }

  /** The master's `bus.gap` note. */
  gap(): void {
    this.#log.warn('bus.gap');
    if (!this.#closed) this.#listener?.onGap(null);
  }

  #put(parcel: BusParcel): void {
    if (this.#unsentChars + this.#parcelChars + parcel.text.length > BUS_UNSENT_CHARS_MAX) {
      this.#drop();
      return;
    }
    this.#parcels.push(parcel);
    this.#parcelChars += parcel.text.length;
    if (this.#parcelChars >= NOTE_CHARS) this.#send();
    else this.#sending ??= setImmediate(() => this.#send());
  }

  #drop(): void {
    this.counts.dropped += 1;
    if (this.#lost) return;
    this.#lost = true;
    this.#log.warn('bus.dropping', { unsentChars: this.#unsentChars, charsMax: BUS_UNSENT_CHARS_MAX });
  }

  #send(): void {
    if (this.#sending) clearImmediate(this.#sending);
    this.#sending = null;
    if (this.#parcels.length === 0) return;
    const parcels = this.#parcels;
    const chars = this.#parcelChars;
    this.#parcels = [];
    this.#parcelChars = 0;
    this.#unsentChars += chars;
    this.#peer.note('bus', { parcels }, () => this.#sent(chars));
  }

  #sent(chars: number): void {
    this.#unsentChars -= chars;
    if (!this.#lost || this.#unsentChars > BUS_UNSENT_CHARS_MAX / 2) return;
    this.#lost = false;
    this.#log.warn('bus.droppedUntilNow', { dropped: this.counts.dropped });
    this.#peer.note('bus.lost', {});
  }
}

/** The event, or what is wrong with it: places only, never the contents. */
function parseEvent(text: string): BusEvent | string {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return error instanceof SyntaxError ? 'not JSON' : errorText(error);
  }
  return parseBusEvent(json, text);
}
