/**
 * One end of Node's IPC channel, as the peer wants it: it never throws because the other side is gone, and it knows what
 * has not been written yet. The same for the master (a child's handle) and for a child (`process`).
 */
import type { SendHandle } from 'node:child_process';
import type { Envelope, PeerChannel, SentHandle } from './peer.js';

/** What `process` in a child, and a ChildProcess in the master, have in common. */
export interface IpcEndpoint {
  readonly connected: boolean;
  send?(
    message: Envelope,
    handle: SendHandle | undefined,
    options: undefined,
    callback: (error: Error | null) => void,
  ): boolean;
}

export class IpcChannel implements PeerChannel {
  readonly #endpoint: IpcEndpoint;
  #unwritten = 0;
  #whenWritten: (() => void)[] = [];

  constructor(endpoint: IpcEndpoint) {
    this.#endpoint = endpoint;
  }

  send(message: Envelope, flushed?: (error: Error | null) => void, handle?: SentHandle): boolean {
    const endpoint = this.#endpoint;
    if (!endpoint.connected || !endpoint.send) {
      if (flushed) setImmediate(flushed, new Error('the channel is closed'));
      return false;
    }
    // The callback is given always: without one Node raises an 'error' event when the other side has just gone.
    // What it reports is the end of the other side, which is noticed by 'disconnect' and 'exit'.
    // A bare handle is not in the type declarations, but it is what node:cluster itself sends: nobody reads from it on the
    // way, and this side's copy stays open.
    endpoint.send(message, handle as SendHandle | undefined, undefined, (error) => {
      this.#unwritten -= 1;
      flushed?.(error);
      if (this.#unwritten === 0) this.#tellWritten();
    });
    this.#unwritten += 1;
    return true;
  }

  /** Resolves when everything sent so far is written, or after `deadlineMs`. */
  written(deadlineMs: number): Promise<void> {
    if (this.#unwritten === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, deadlineMs);
      this.#whenWritten.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #tellWritten(): void {
    const waiting = this.#whenWritten;
    this.#whenWritten = [];
    for (const tell of waiting) tell();
  }
}
