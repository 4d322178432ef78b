/** A child's `process` without a process: the test is the master on the other end of the channel. */
import { EventEmitter } from 'node:events';
import type { ChildSide } from '../../src/platform/rpc/child-runtime.js';
import { type Envelope, Peer } from '../../src/platform/rpc/peer.js';
import type { ToChild, ToMaster } from '../../src/shared/protocol/ipc.js';

export class FakeChildSide extends EventEmitter implements ChildSide {
  title = 'node';
  connected = true;
  /** Names of the notes the child sent, and what they say. */
  readonly notes: { readonly name: string; readonly args: unknown }[] = [];
  readonly master: Peer<ToMaster, ToChild> = new Peer(
    { send: (message) => this.emit('message', structuredClone(message)) },
    'the child',
    { calls: {} as never, notes: {} as never, hands: {} as never },
  );

  send(message: Envelope, _handle: undefined, _options: undefined, callback: (error: null) => void): boolean {
    if (message.k === 'note') this.notes.push({ name: message.n, args: message.a });
    else this.master.receive(structuredClone(message));
    setImmediate(callback, null);
    return true;
  }

  disconnect(): void {
    this.connected = false;
    this.emit('disconnect');
  }

  noted(name: string): unknown[] {
    return this.notes.filter((note) => note.name === name).map(({ args }) => args);
  }
}
