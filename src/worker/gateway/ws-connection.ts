/** A connection over a real WebSocket: what leaves through the outbox, and how it ends. */
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { type Clock, type Moment, nowSeconds } from '../../shared/base/clock.js';
import type { MessageId } from '../../shared/domain/message-id.js';
import type { SessionData } from '../../shared/domain/session.js';
import { CLOSE, type CloseCode } from '../../shared/protocol/close-codes.js';
import { eventText } from '../../shared/protocol/ws-frames.js';
import type { Connection } from '../sessions/live-session.js';
import type { Backlog, BehindConnection } from './backlog.js';
import { Outbox, type OutboxLimits, type WriteResult } from './outbox.js';
import { SignsOfLife, type SilenceLimits } from './signs-of-life.js';
import { textFrame } from './text-frame.js';

/** What a slow reader, or one that is not read any longer, gets to take its last frames; then the socket is destroyed. */
const LAST_FRAMES_MS = 1000;
/** RFC 6455 §5.5: a control frame carries 125 bytes, two of them are the code. */
const CLOSE_REASON_BYTES_MAX = 123;

export interface WsConnectionDeps {
  readonly clock: Clock;
  readonly limits: () => OutboxLimits;
  readonly backlog: Pick<Backlog, 'isBehind' | 'full'>;
  /** Seconds until a client that is sent away because it was slow may come back. */
  readonly retryAfter: () => number;
  readonly onSlowClosed: () => void;
  /** How long a client may take to answer a question. */
  readonly answerMs: () => number;
  /** These messages are known to have reached the other side. */
  readonly onConfirmed: (ids: readonly MessageId[]) => void;
}

export class WsConnection implements Connection, BehindConnection {
  readonly #ws: WebSocket;
  readonly #socket: Duplex;
  readonly #data: SessionData;
  readonly #outbox: Outbox;
  readonly #life: SignsOfLife;
  readonly #deps: WsConnectionDeps;
  #ended = false;
  /** Nothing that its client says is read any more. */
  #deaf = false;

  /** @param socket the raw socket under `ws`: finished frames are written to it without a detour. */
  constructor(ws: WebSocket, socket: Duplex, data: SessionData, deps: WsConnectionDeps) {
    this.#ws = ws;
    this.#socket = socket;
    this.#data = data;
    this.#deps = deps;
    this.#outbox = new Outbox(socket, deps.limits);
    const { answerMs, onConfirmed } = deps;
    this.#life = new SignsOfLife(socket, data.life, { answerMs, onConfirmed, mayAsk: () => this.open });
  }

  get open(): boolean {
    return !this.#ended && this.#ws.readyState === this.#ws.OPEN;
  }

  put(frame: Buffer): void {
    if (!this.open) return;
    const result = this.#outbox.put(frame);
    if (result === 'written') this.#written(frame);
    else if (result === 'given-up') this.#giveUp();
  }

  tell(frame: Buffer): void {
    this.put(frame);
    this.#life.pushed(this.#deps.clock.moment());
  }

  offer(frame: Buffer, confirm: readonly MessageId[] = []): WriteResult {
    if (!this.open) return 'closed';
    if (confirm.length > 0 && this.#life.full) return 'left-out';
    if (this.unsentBytes > 0 && this.#deps.backlog.full) return 'left-out';
    const result = this.#outbox.offer(frame);
    if (result === 'written') this.#life.pushed(this.#written(frame), confirm);
    return result;
  }

  get uid(): number | null {
    return this.#data.login?.uid ?? null;
  }

  get unsentBytes(): number {
    return this.#outbox.unsentBytes;
  }

  get flowing(): boolean {
    return this.#outbox.flowing;
  }

  emptied(): Promise<void> {
    return this.#outbox.drained();
  }

  get takenBytes(): number {
    return this.#outbox.takenBytes;
  }

  stoodStillMs(now: Moment): number {
    return this.#outbox.stoodStillMs(now);
  }

  giveUp(): void {
    if (this.open) this.#giveUp();
  }

  pause(): void {
    this.#ws.pause();
  }

  resume(): void {
    if (!this.#deaf) this.#ws.resume();
  }

  async drained(): Promise<void> {
    await this.#outbox.drained();
    if (this.open) await this.#life.room();
  }

  /** A whole frame of the client has come. */
  heard(): void {
    const now = this.#deps.clock.moment();
    this.#data.lastTrafficAt = now;
    this.#data.lastHeardAt = now;
    this.#life.heard(now);
  }

  /** A pong has come. */
  answered(payload: Buffer): void {
    const now = this.#deps.clock.moment();
    this.#data.lastTrafficAt = now;
    this.#data.lastHeardAt = now;
    this.#life.answered(payload, now);
  }

  /** What has come in until now is known afterwards. */
  lookForSigns(): void {
    this.#life.look();
  }

  lost(now: Moment, limits: SilenceLimits): boolean {
    // While it is we who do not read, and while it still takes what was written before the question, it cannot be judged.
    const busy = (): boolean => this.#ws.isPaused || this.#outbox.unsentBytes > 0;
    return this.#data.life.silentSince !== null && this.open && this.#life.lost(now, limits, busy);
  }

  stalled(now: Moment): boolean {
    if (!this.open || !this.#outbox.stalled(now)) return false;
    this.#giveUp();
    return true;
  }

  end(code: CloseCode, reason: string, retryAfter: number | null): void {
    if (!this.open) return;
    this.#ended = true;
    this.#outbox.put(textFrame(eventText('bye', nowSeconds(this.#deps.clock), { reason, retryAfter })));
    this.#ws.close(code, cutToBytes(reason, CLOSE_REASON_BYTES_MAX));
  }

  sendAway(reason: string): void {
    this.end(CLOSE.policy, reason, null);
    this.#deaf = true;
    this.#ws.pause();
    this.#destroySoon();
  }

  /** Nothing is written any more, and nobody is told: the connection is another Worker's. */
  release(): void {
    this.#ended = true;
    this.#life.release();
  }

  cut(): void {
    this.#ended = true;
    this.#ws.terminate();
  }

  #written(frame: Buffer): Moment {
    const now = this.#deps.clock.moment();
    this.#data.lastTrafficAt = now;
    if (this.unsentBytes > 0) this.#deps.backlog.isBehind(this, frame.length);
    return now;
  }

  #giveUp(): void {
    this.#deps.onSlowClosed();
    this.end(CLOSE.slowReader, 'this reader is too slow', this.#deps.retryAfter());
    this.#destroySoon();
  }

  #destroySoon(): void {
    setTimeout(() => this.#socket.destroy(), LAST_FRAMES_MS).unref();
  }
}

/** The longest beginning of a text that fits; no character is cut in two. */
function cutToBytes(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= bytesMax) return text;
  let end = bytesMax;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.toString('utf8', 0, end);
}
