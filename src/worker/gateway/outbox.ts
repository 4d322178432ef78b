/**
 * The way out of one connection, bounded in bytes and in time. A reader that is a little slow loses live copies only
 * (they are in the store and it is told to fetch them); one that is far behind, or stands still, is given up.
 */
import type { Duplex } from 'node:stream';
import { type Moment, msBetween } from '../../shared/base/clock.js';
import { takenBytes } from './taken-bytes.js';

export interface OutboxLimits {
  /** Unsent bytes above which live copies are left out. */
  readonly softBytes: number;
  /** Unsent bytes above which the reader is given up. */
  readonly hardBytes: number;
  /** Time without progress after which the reader is given up. */
  readonly stallMs: number;
}

export type WriteResult = 'written' | 'left-out' | 'given-up' | 'closed';

/** The parts of a socket that are used; a stand-in in tests. */
export type OutboxSocket = Pick<
  Duplex,
  'write' | 'writableLength' | 'writableNeedDrain' | 'writable' | 'destroyed' | 'once' | 'off'
> & {
  readonly bytesWritten?: number;
};

export class Outbox {
  readonly #socket: OutboxSocket;
  readonly #limits: () => OutboxLimits;
  /** Null: it was never looked at. */
  #stalledSince: Moment | null = null;
  #takenBytes = 0;
  /** Of an answer or a page that is on its way and larger than the hard mark. */
  #largeBytes = 0;

  constructor(socket: OutboxSocket, limits: () => OutboxLimits) {
    this.#socket = socket;
    this.#limits = limits;
  }

  get unsentBytes(): number {
    return this.#socket.destroyed ? 0 : this.#socket.writableLength;
  }

  /** The stream asks for no drain: whoever has a choice may write. */
  get flowing(): boolean {
    // One that is closed asks for nothing: whoever waits for it to flow would wait for ever.
    return !this.#socket.writable || !this.#socket.writableNeedDrain;
  }

  /** A copy of something the store holds too: left out when the reader is slow. */
  offer(frame: Buffer): WriteResult {
    const socket = this.#socket;
    if (socket.destroyed || !socket.writable) return 'closed';
    const { softBytes, hardBytes } = this.#limits();
    if (socket.writableLength > softBytes) return 'left-out';
    this.#write(frame, hardBytes);
    return 'written';
  }

  /** Something that is not kept elsewhere: a reply, an event. */
  put(frame: Buffer): WriteResult {
    const socket = this.#socket;
    if (socket.destroyed || !socket.writable) return 'closed';
    const { hardBytes } = this.#limits();
    if (socket.writableLength > hardBytes + this.#largeBytes) return 'given-up';
    this.#write(frame, hardBytes);
    return 'written';
  }

  /** What is larger than the mark is no reason to give up whoever it is for while it goes out. */
  #write(frame: Buffer, hardBytes: number): void {
    const socket = this.#socket;
    if (socket.writableLength <= hardBytes) this.#largeBytes = 0;
    if (frame.length > hardBytes) this.#largeBytes = frame.length;
    socket.write(frame);
  }

  /** Resolves when there is room again (the stream asks for no drain any more), or the socket is closed. */
  drained(): Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed || !socket.writable || !socket.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        socket.off('drain', done);
        socket.off('close', done);
        resolve();
      };
      socket.once('drain', done);
      socket.once('close', done);
    });
  }

  /** Only ever compared with an earlier one. */
  get takenBytes(): number {
    return takenBytes(this.#socket);
  }

  /** To be called now and then: true when unsent bytes have made no progress for too long. */
  stalled(now: Moment): boolean {
    return this.stoodStillMs(now) >= this.#limits().stallMs;
  }

  /** For how long unsent bytes have made no progress, as far as it was called meanwhile. */
  stoodStillMs(now: Moment): number {
    const unsent = this.#socket.writableLength;
    const taken = takenBytes(this.#socket);
    if (unsent === 0 || taken !== this.#takenBytes) {
      this.#takenBytes = taken;
      this.#stalledSince = now;
      return 0;
    }
    this.#stalledSince ??= now;
    return msBetween(this.#stalledSince, now);
  }
}
