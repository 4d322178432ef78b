/**
 * A child's end of the line to the master: a typed peer over this process's IPC channel.
 *
 * Sending never throws because the master is gone; that it is gone is told once, by `onGone`. Which of the messages mean
 * what is left to the handlers.
 */
import type { ToChild, ToMaster } from '../../shared/protocol/ipc.js';
import { IpcChannel, type IpcEndpoint } from './ipc-channel.js';
import { type CallHandlers, type HandHandlers, type NoteHandlers, Peer } from './peer.js';

/** What of `process` is used. */
export interface ChildProcessSide extends IpcEndpoint {
  on(event: 'message', listener: (message: unknown, handle?: unknown) => void): unknown;
  on(event: 'disconnect', listener: () => void): unknown;
}

/**
 * Node raises no `disconnect` when the other side dies while a handle waits to be acknowledged; only `connected` turns
 * false. So it is looked at.
 */
const LOOK_MS = 250;

export type MasterPeer = Peer<ToChild, ToMaster>;
export type InitNote = ToChild['notes']['init'];

export interface MasterLinkHandlers {
  readonly calls: CallHandlers<ToChild>;
  readonly notes: Omit<NoteHandlers<ToChild>, 'init'>;
  readonly hands: HandHandlers<ToChild>;
  /** The master has ended, or has closed the channel. */
  readonly onGone: () => void;
}

export interface MasterLink {
  readonly peer: MasterPeer;
  /** The master's answer to our hello: who this process is. */
  readonly init: Promise<InitNote>;
  /** Resolves when everything said so far is written, or after `deadlineMs`. */
  written(deadlineMs: number): Promise<void>;
}

export function connectToMaster(side: ChildProcessSide, handlers: MasterLinkHandlers): MasterLink {
  const channel = new IpcChannel(side);
  const said: { onInit: (note: InitNote) => void } = { onInit() {} };
  const init = new Promise<InitNote>((resolve) => {
    said.onInit = resolve;
  });
  const peer: MasterPeer = new Peer(channel, 'the master', {
    calls: handlers.calls,
    notes: { ...handlers.notes, init: said.onInit },
    hands: handlers.hands,
  });
  side.on('message', (message, handle) => peer.receive(message, handle));
  let isGone = false;
  const gone = (): void => {
    if (isGone) return;
    isGone = true;
    clearInterval(look);
    peer.gone('its channel is closed');
    handlers.onGone();
  };
  const look = setInterval(() => {
    if (!side.connected) gone();
  }, LOOK_MS);
  look.unref();
  side.on('disconnect', gone);
  // In a cluster worker Node has a listener of its own, so messages that came before ours are lost: hence the hello.
  peer.note('hello', {});
  return { peer, init, written: (deadlineMs) => channel.written(deadlineMs) };
}
