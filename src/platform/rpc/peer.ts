/**
 * Typed calls and notes over a channel between two processes. A call races with its deadline and with the end of the
 * other side; a missing handler does not compile. Errors travel as code and text.
 */
import { AssertionError } from '../../shared/base/assert.js';
import { errorText, isErrorCode, isSpushError, SpushError } from '../../shared/base/errors.js';
import type { MessageMap } from '../../shared/protocol/ipc.js';

/** Calls that may be under way at once to one process; above it callers get RPC_BUSY. */
export const CALLS_IN_FLIGHT_MAX = 50_000;

/** The channel: `process` in a child, the child's handle in the master. */
export interface PeerChannel {
  /**
   * Answers false when the other side is gone. Throws only for what cannot be sent at all (our own bug).
   * `flushed` is called once: when the other side's buffer has taken the message, or, with the reason, when it never will.
   * `handle` travels beside the message and stays open here.
   */
  send(message: Envelope, flushed?: (error: Error | null) => void, handle?: SentHandle): boolean;
}

/** A socket's handle as it passes between processes: a descriptor nobody reads from. */
export interface SentHandle {
  /** Closes this process's copy. */
  close(): void;
}

export type Envelope =
  | { readonly k: 'call'; readonly i: number; readonly n: string; readonly a: unknown }
  | { readonly k: 'ok'; readonly i: number; readonly r: unknown }
  | { readonly k: 'err'; readonly i: number; readonly c: string; readonly m: string }
  | { readonly k: 'note'; readonly n: string; readonly a: unknown }
  | { readonly k: 'hand'; readonly n: string; readonly a: unknown };

export type CallHandlers<M extends MessageMap> = {
  readonly [N in keyof M['calls']]: (
    args: M['calls'][N]['args'],
  ) => Promise<M['calls'][N]['result']> | M['calls'][N]['result'];
};

export type NoteHandlers<M extends MessageMap> = {
  readonly [N in keyof M['notes']]: (args: M['notes'][N]) => void;
};

/** The handle is the handler's from then on: it closes it, or gives it on. */
export type HandHandlers<M extends MessageMap> = {
  readonly [N in keyof M['hands']]: (args: M['hands'][N], handle: SentHandle) => void;
};

/** What the peer needs to answer what comes in. */
export interface PeerHandlers<M extends MessageMap> {
  readonly calls: CallHandlers<M>;
  readonly notes: NoteHandlers<M>;
  readonly hands: HandHandlers<M>;
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
  readonly name: string;
}

/** `In`: what the other side sends here; `Out`: what is sent there. */
export class Peer<In extends MessageMap, Out extends MessageMap> {
  readonly #channel: PeerChannel;
  readonly #name: string;
  readonly #handlers: PeerHandlers<In>;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #gone: string | null = null;

  /** @param name who the other side is, for error texts. */
  constructor(channel: PeerChannel, name: string, handlers: PeerHandlers<In>) {
    this.#channel = channel;
    this.#name = name;
    this.#handlers = handlers;
  }

  call<N extends keyof Out['calls'] & string>(
    name: N,
    args: Out['calls'][N]['args'],
    options: { deadlineMs: number },
  ): Promise<Out['calls'][N]['result']> {
    return new Promise((resolve, reject) => {
      if (this.#gone !== null) {
        reject(new SpushError('RPC_PEER_GONE', `${this.#name} cannot be asked for ${name}: ${this.#gone}`));
        return;
      }
      if (this.#waiting.size >= CALLS_IN_FLIGHT_MAX) {
        reject(
          new SpushError('RPC_BUSY', `${CALLS_IN_FLIGHT_MAX} calls to ${this.#name} are under way already`),
        );
        return;
      }
      this.#lastId += 1;
      const id = this.#lastId;
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(
          new SpushError(
            'RPC_TIMEOUT',
            `${this.#name} did not answer ${name} within ${options.deadlineMs} ms`,
          ),
        );
      }, options.deadlineMs);
      this.#waiting.set(id, { resolve, reject, timer, name });
      if (!this.#channel.send({ k: 'call', i: id, n: name, a: args })) this.gone('its channel is closed');
    });
  }

  /** Tells, without waiting; lost when the other side is gone (then `flushed` is not called). */
  note<N extends keyof Out['notes'] & string>(
    name: N,
    args: Out['notes'][N],
    flushed?: (error: Error | null) => void,
  ): void {
    if (this.#gone === null) this.#channel.send({ k: 'note', n: name, a: args }, flushed);
  }

  /**
   * Tells, with a socket's handle, which stays open here. `flushed` is called when the channel has taken both, or with the
   * reason when it has not; not at all when the other side ends first.
   */
  hand<N extends keyof Out['hands'] & string>(
    name: N,
    args: Out['hands'][N],
    handle: SentHandle,
    flushed: (error: Error | null) => void,
  ): void {
    if (this.#gone === null) this.#channel.send({ k: 'hand', n: name, a: args }, flushed, handle);
  }

  /** To be called with every message of the channel. A handler of a note must not throw: there is nobody to tell. */
  receive(message: unknown, handle?: unknown): void {
    if (!isEnvelope(message)) return;
    switch (message.k) {
      case 'hand': {
        if (!isSentHandle(handle)) break;
        const handler = this.#handlers.hands[message.n];
        if (handler) handler(message.a as never, handle);
        else handle.close();
        break;
      }
      case 'call':
        void this.#answer(message.i, message.n, message.a);
        break;
      case 'note': {
        const handler = this.#handlers.notes[message.n];
        if (handler) handler(message.a as never);
        break;
      }
      case 'ok':
        this.#settle(message.i)?.resolve(message.r);
        break;
      case 'err': {
        const code = isErrorCode(message.c) ? message.c : 'INTERNAL';
        this.#settle(message.i)?.reject(new SpushError(code, message.m));
        break;
      }
    }
  }

  /** The other side has ended: everything that waits for it fails now. */
  gone(reason: string): void {
    if (this.#gone !== null) return;
    this.#gone = reason;
    for (const [id, waiting] of [...this.#waiting]) {
      this.#settle(id);
      waiting.reject(
        new SpushError('RPC_PEER_GONE', `${this.#name} ended before it answered ${waiting.name}: ${reason}`),
      );
    }
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    if (waiting) {
      clearTimeout(waiting.timer);
      this.#waiting.delete(id);
    }
    return waiting;
  }

  async #answer(id: number, name: string, args: unknown): Promise<void> {
    try {
      const handler = this.#handlers.calls[name];
      if (!handler) throw new AssertionError(`no handler for ${name}`);
      const result = await handler(args as never);
      this.#channel.send({ k: 'ok', i: id, r: result });
    } catch (error) {
      const code = isSpushError(error) ? error.code : 'INTERNAL';
      this.#channel.send({ k: 'err', i: id, c: code, m: errorText(error) });
    }
  }
}

function isEnvelope(message: unknown): message is Envelope {
  return typeof message === 'object' && message !== null && 'k' in message;
}

function isSentHandle(value: unknown): value is SentHandle {
  return typeof value === 'object' && value !== null && 'close' in value && typeof value.close === 'function';
}
