import type { Clock } from '../../src/shared/base/clock.js';
import type { MessageId } from '../../src/shared/domain/message-id.js';
import type { WriteResult } from '../../src/worker/gateway/outbox.js';
import type { Connection, LiveSession } from '../../src/worker/sessions/live-session.js';
import { createSessionData } from '../../src/worker/sessions/session.js';

import { FakeClock } from './fake-clock.js';

export interface Sent {
  readonly cmd: string;
  readonly id: string;
  readonly code: number;
  readonly body: Record<string, unknown>;
}

/** A connection that keeps what is written to it; it can be made slow. */
export class FakeConnection implements Connection {
  readonly sent: Sent[] = [];
  ended: { code: number; reason: string; retryAfter: number | null } | null = null;
  open = true;
  /** While slow, offers are left out and `drained` waits. */
  slow = false;
  isStalled = false;
  isLost = false;
  wasCut = false;
  /** What was written so that it is to be known whether it arrives. */
  readonly toConfirm: MessageId[] = [];
  #waiting: (() => void)[] = [];

  put(frame: Buffer): void {
    if (this.open) this.sent.push(parseFrame(frame));
  }

  tell(frame: Buffer): void {
    this.put(frame);
  }

  offer(frame: Buffer, confirm: readonly MessageId[] = []): WriteResult {
    if (!this.open) return 'closed';
    if (this.slow) return 'left-out';
    this.sent.push(parseFrame(frame));
    this.toConfirm.push(...confirm);
    return 'written';
  }

  drained(): Promise<void> {
    if (!this.slow) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  unsentBytes = 0;

  get flowing(): boolean {
    return !this.slow;
  }

  emptied(): Promise<void> {
    return this.drained();
  }

  /** Whether the client is read from. */
  reading = true;

  pause(): void {
    this.reading = false;
  }

  resume(): void {
    this.reading = true;
  }

  drain(): void {
    this.slow = false;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  stalled(): boolean {
    return this.isStalled;
  }

  lost(): boolean {
    return this.isLost;
  }

  /** As the connection of a gateway has it. */
  lookForSigns(): void {}

  end(code: number, reason: string, retryAfter: number | null): void {
    this.ended ??= { code, reason, retryAfter };
    this.open = false;
  }

  sendAway(reason: string): void {
    this.end(1008, reason, null);
  }

  cut(): void {
    this.wasCut = true;
    this.open = false;
  }

  /** Ids of all pushed messages, in the order written. */
  get pushed(): string[] {
    return this.sent
      .filter(({ cmd }) => cmd === 'push')
      .flatMap(({ body }) => (body['items'] as { id: string }[]).map(({ id }) => id));
  }
}

export function fakeSession(
  clock: Clock = new FakeClock(),
  connection = new FakeConnection(),
): LiveSession & { connection: FakeConnection } {
  return { data: createSessionData('203.0.113.7', clock), connection, replay: null, missed: null };
}

/** A whole unmasked text frame as the object it carries. */
export function parseFrame(frame: Buffer): Sent {
  const short = (frame[1] ?? 0) & 127;
  const head = short < 126 ? 2 : short === 126 ? 4 : 10;
  return JSON.parse(frame.subarray(head).toString()) as Sent;
}
