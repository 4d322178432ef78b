/**
 * The hub of the local bus: takes parcels from one process and hands them to those that follow the user they are for, or to
 * all Workers. It does not read them.
 *
 * Parcels for one process that come in one turn of the loop travel in one note, in order. A process that does not read is
 * bounded: above `PORT_CHARS_MAX` its parcels are dropped, and it is told that it has a gap as soon as it reads again.
 */
import type { Log } from '../../platform/log/log.js';
import type { BusParcel } from '../../shared/protocol/ipc.js';
import { FollowTable } from './follow-table.js';

/** Parcels on their way to one process: characters, about bytes. */
export const PORT_CHARS_MAX = 64 * 1024 * 1024;
/** A note carries about so much, so that neither side works on one for long. */
const NOTE_CHARS = 256 * 1024;

/** A process on the bus, as the relay needs it. */
export interface BusMember {
  readonly name: string;
  /** Gets what is for everybody. */
  readonly holdsSockets: boolean;
  readonly peer: {
    note(name: 'bus', args: { texts: readonly string[] }, flushed: () => void): void;
    note(name: 'bus.gap', args: Record<string, never>): void;
  };
}

interface Port {
  readonly member: BusMember;
  texts: string[];
  waitingChars: number;
  /** Handed to the channel and not yet taken by it. */
  unsentChars: number;
  gap: boolean;
  dropped: number;
  /** Probes that are answered when everything before them has been taken. */
  probes: { readonly after: number; readonly resolve: () => void }[];
  notesHanded: number;
  notesTaken: number;
}

export class BusRelay {
  readonly #log: Log;
  readonly #ports = new Map<BusMember, Port>();
  readonly #follows = new FollowTable<Port>();
  readonly #toSend = new Set<Port>();
  #sending: NodeJS.Immediate | null = null;

  constructor(log: Log) {
    this.#log = log;
  }

  attach(member: BusMember): void {
    this.#ports.set(member, {
      member,
      texts: [],
      waitingChars: 0,
      unsentChars: 0,
      gap: false,
      dropped: 0,
      probes: [],
      notesHanded: 0,
      notesTaken: 0,
    });
  }

  /** The process has ended: what it followed, nobody follows for it. */
  detach(member: BusMember): void {
    const port = this.#ports.get(member);
    if (!port) return;
    this.#ports.delete(member);
    this.#toSend.delete(port);
    this.#follows.forget(port);
    for (const { resolve } of port.probes) resolve();
  }

  follow(member: BusMember, uid: number): void {
    const port = this.#ports.get(member);
    if (port) this.#follows.add(uid, port);
  }

  unfollow(member: BusMember, uid: number): void {
    const port = this.#ports.get(member);
    if (port) this.#follows.remove(uid, port);
  }

  carry(from: BusMember, parcels: readonly BusParcel[]): void {
    const sender = this.#ports.get(from);
    for (const { to, text } of parcels) {
      if (to === null) {
        for (const port of this.#ports.values()) {
          if (port !== sender && port.member.holdsSockets) this.#put(port, text);
        }
      } else {
        for (const port of this.#follows.of(to)) if (port !== sender) this.#put(port, text);
      }
    }
  }

  /** Parcels of this process were dropped on the way here, or it died with them: everybody else may miss something. */
  lost(from: BusMember): void {
    for (const port of this.#ports.values()) {
      if (port.member !== from && port.member.holdsSockets) port.member.peer.note('bus.gap', {});
    }
  }

  /** Resolves when everything that was put for this process before has been taken by its channel. */
  probe(member: BusMember): Promise<void> {
    const port = this.#ports.get(member);
    if (!port) return Promise.resolve();
    this.#send(port);
    return new Promise((resolve) => {
      if (port.notesTaken === port.notesHanded) resolve();
      else port.probes.push({ after: port.notesHanded, resolve });
    });
  }

  #put(port: Port, text: string): void {
    if (port.gap || port.unsentChars + port.waitingChars + text.length > PORT_CHARS_MAX) {
      if (!port.gap) {
        this.#log.warn('bus.portFull', { child: port.member.name, charsMax: PORT_CHARS_MAX });
      }
      port.gap = true;
      port.dropped += 1;
      return;
    }
    port.texts.push(text);
    port.waitingChars += text.length;
    if (port.waitingChars >= NOTE_CHARS) {
      this.#send(port);
      return;
    }
    this.#toSend.add(port);
    this.#sending ??= setImmediate(() => {
      this.#sending = null;
      for (const waiting of this.#toSend) this.#send(waiting);
    });
  }

  #send(port: Port): void {
    this.#toSend.delete(port);
    if (port.texts.length === 0) return;
    const { texts, waitingChars: chars } = port;
    port.texts = [];
    port.waitingChars = 0;
    port.unsentChars += chars;
    port.notesHanded += 1;
    port.member.peer.note('bus', { texts }, () => this.#taken(port, chars));
  }

  #taken(port: Port, chars: number): void {
    port.unsentChars -= chars;
    port.notesTaken += 1;
    while (port.probes[0] && port.probes[0].after <= port.notesTaken) port.probes.shift()?.resolve();
    if (!port.gap || port.unsentChars > PORT_CHARS_MAX / 2 || !this.#ports.has(port.member)) return;
    this.#log.warn('bus.portReads', { child: port.member.name, dropped: port.dropped });
    port.gap = false;
    port.dropped = 0;
    port.member.peer.note('bus.gap', {});
  }
}
