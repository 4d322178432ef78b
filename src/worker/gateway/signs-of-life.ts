/**
 * Whether the other side of a connection is there, and what it has got. Life is what comes in: any byte that was read is a
 * sign, whatever was written proves nothing.
 *
 * A side that is pushed to and says nothing is asked by a ping of the protocol, which every client answers by itself; when
 * nothing comes then, it is lost. A side to which nothing is pushed is never asked.
 *
 * A client that does not acknowledge is asked with each push, unless a question is under way. The answer to a question says
 * that everything before it has arrived, as TCP keeps the order. Something else that came in need not have been sent after
 * the push: it says so only of what was written longer ago than answers take.
 */
import type { Duplex } from 'node:stream';
import { type Moment, msBetween } from '../../shared/base/clock.js';
import type { MessageId } from '../../shared/domain/message-id.js';
import type { LifeSigns, Unconfirmed } from '../../shared/domain/session.js';

/** Messages of one connection that may be on their way unconfirmed; beyond it they wait in the store. */
export const UNCONFIRMED_MAX = 512;

export interface SilenceLimits {
  /** Since the first push without a sign after it; then it is asked. */
  readonly askMs: number;
  /** Since it was asked; then it is lost. */
  readonly answerMs: number;
}

/** The parts of a socket that are used; `bytesRead` is missing in stand-ins. */
export type LifeSocket = Pick<Duplex, 'write' | 'once' | 'off' | 'destroyed'> & {
  readonly bytesRead?: number;
};

export interface SignsOfLifeDeps {
  readonly answerMs: () => number;
  /** False: it is another's, or its close frame was sent. */
  readonly mayAsk: () => boolean;
  /** These messages have arrived. */
  readonly onConfirmed: (ids: readonly MessageId[]) => void;
}

export class SignsOfLife {
  readonly #socket: LifeSocket;
  readonly #signs: LifeSigns;
  readonly #deps: SignsOfLifeDeps;
  #bytesRead: number | undefined;
  /** Those who wait for room among the unconfirmed. */
  readonly #waiting = new Set<() => void>();

  constructor(socket: LifeSocket, signs: LifeSigns, deps: SignsOfLifeDeps) {
    this.#socket = socket;
    this.#signs = signs;
    this.#deps = deps;
    this.#bytesRead = socket.bytesRead;
  }

  /** So many messages are unconfirmed that no more may be sent. */
  get full(): boolean {
    return this.#signs.unconfirmed.size >= UNCONFIRMED_MAX;
  }

  /** Resolves when it is not full, or the connection is closed. */
  room(): Promise<void> {
    if (!this.full || this.#socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done);
        this.#socket.off('close', done);
        resolve();
      };
      this.#waiting.add(done);
      this.#socket.once('close', done);
    });
  }

  /** Something was written that a sign is expected after. `confirm`: messages of it that are to be confirmed. */
  pushed(now: Moment, confirm: readonly MessageId[] = []): void {
    this.look();
    const signs = this.#signs;
    signs.silentSince ??= now;
    if (confirm.length === 0) return;
    for (const id of confirm) signs.unconfirmed.set(id, { question: signs.asked + 1, at: now });
    if (signs.answered === signs.asked) this.#ask();
  }

  /** A whole frame has come. */
  heard(now: Moment): void {
    this.#clear();
    const answerMs = this.#deps.answerMs();
    this.#confirm(({ at }) => msBetween(at, now) >= answerMs);
  }

  /** An answer has come, to the question whose number it has. */
  answered(payload: Buffer, now: Moment): void {
    const signs = this.#signs;
    this.heard(now);
    const number = Number(payload.toString('latin1'));
    if (!(number > signs.answered && number <= signs.asked)) return;
    signs.answered = number;
    this.#confirm(({ question }) => question <= number);
    if (signs.unconfirmed.size > 0 && signs.answered === signs.asked) this.#ask();
  }

  /** Whether bytes have come since the last look: parts of a frame count too. */
  look(): void {
    const { bytesRead } = this.#socket;
    if (bytesRead === this.#bytesRead) return;
    this.#bytesRead = bytesRead;
    this.#clear();
  }

  /** @param busy it cannot have answered yet: its time begins when it can. */
  lost(now: Moment, { askMs, answerMs }: SilenceLimits, busy: () => boolean): boolean {
    const signs = this.#signs;
    if (signs.silentSince === null) return false;
    this.look();
    if (signs.silentSince === null) return false;
    if (signs.probedAt === null) {
      if (msBetween(signs.silentSince, now) < askMs) return false;
      this.#ask();
      signs.probedAt = now;
      return false;
    }
    if (busy()) signs.probedAt = now;
    return msBetween(signs.probedAt, now) >= answerMs;
  }

  /** The connection belongs to another Worker now: ends every wait for room. */
  release(): void {
    for (const done of [...this.#waiting]) done();
  }

  #ask(): void {
    if (!this.#deps.mayAsk()) return;
    this.#signs.asked += 1;
    this.#socket.write(pingFrame(this.#signs.asked));
  }

  #clear(): void {
    this.#signs.silentSince = null;
    this.#signs.probedAt = null;
  }

  /** The oldest ones, as far as it is so. */
  #confirm(isSo: (message: Unconfirmed) => boolean): void {
    const { unconfirmed } = this.#signs;
    const ids: MessageId[] = [];
    for (const [id, message] of unconfirmed) {
      if (!isSo(message)) break;
      unconfirmed.delete(id);
      ids.push(id);
    }
    if (ids.length > 0) this.#deps.onConfirmed(ids);
    // A logout makes room too: who waits for a login that is over must not wait as long as the connection lasts.
    if (this.#waiting.size > 0 && !this.full) for (const done of [...this.#waiting]) done();
  }
}

/** RFC 6455 §5.5.2: FIN, opcode 9, no mask; the number in digits. */
function pingFrame(number: number): Buffer {
  const digits = Buffer.from(String(number), 'latin1');
  return Buffer.concat([Buffer.from([0x89, digits.length]), digits]);
}
