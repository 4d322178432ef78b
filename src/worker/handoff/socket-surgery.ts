/**
 * Takes a live WebSocket out of one process and puts it into another: the one place that reaches into `ws` and into Node's
 * net.Socket (docs/decisions/0011-hand-over.md).
 *
 *     old side                                       new side
 *     stopReading                                                      no byte is read from now on
 *     takeOut            -> { head, handle } ->      socketFromHandle, buildWebSocket
 *     closeCopy          <- adopted                  startReading
 *     putBack, startReading                                            or: it stays after all
 *
 * No byte is lost or read twice: what was read and is not a finished message is the head, the rest is in the kernel. The
 * one `ws` is dead before the other is born, and none of its events fires. Who owns the connection when is the caller's.
 */
import { Socket, type SocketConstructorOpts } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { WebSocket, WebSocketServer } from 'ws';
import type { SentHandle } from '../../platform/rpc/peer.js';
import { assert } from '../../shared/base/assert.js';
import { type Insides, insidesOf, type OpenSocket, optionsOf } from './internals.js';
import { receiverBytes } from './receiver-bytes.js';

/** A connection between two owners. */
export interface TakenOut {
  /** To be put in front of what is read next. */
  readonly head: Buffer;
  /** The socket's own handle: alive until `closeCopy`, also when nothing in this process refers to it. */
  readonly handle: SentHandle;
}

/** Whether this is a TCP connection that goes on in both directions. TLS ends in this process and cannot leave it. */
export function canTravel(socket: Duplex): socket is Socket {
  if (!(socket instanceof Socket) || socket instanceof TLSSocket) return false;
  const { _handle, _readableState, connecting, destroyed, readable, writable } = socket as OpenSocket;
  return (
    _handle !== null &&
    _handle.constructor.name === 'TCP' &&
    !connecting &&
    !destroyed &&
    readable &&
    writable &&
    !_readableState.ended
  );
}

/** Whether the kernel has everything that was written. */
export function outputDrained(socket: Socket): boolean {
  const { _handle, writableLength } = socket as OpenSocket;
  return writableLength === 0 && (_handle === null || _handle.writeQueueSize === 0);
}

/**
 * Nothing is read until `startReading`, not even into the stream's buffer, which `pause()` alone would go on filling. Frames
 * of a chunk that is being parsed right now are still told.
 */
export function stopReading(ws: WebSocket, socket: Socket): void {
  const { _handle } = socket as OpenSocket;
  stopStream(socket);
  if (_handle !== null) {
    _handle.reading = false;
    _handle.readStop();
  }
  ws.pause();
}

/** Also after `stopReading` on a connection that is to be closed instead: its close frame can be answered. */
export function startReading(ws: WebSocket, socket: Socket): void {
  if (socket.destroyed) return;
  Reflect.deleteProperty(socket, '_read');
  ws.resume();
  socket._read(0);
}

/**
 * To be called when the output has drained, and not from inside an event of `ws`. The socket stays open, still and without
 * an owner; `ws` is closed for whoever still has it, without a word. Throws AssertionError before anything has been
 * changed when it cannot be done: then the connection is as it was.
 */
export function takeOut(ws: WebSocket, socket: Socket): TakenOut {
  assert(canTravel(socket), 'this connection cannot be taken out: it is over, or no plain TCP');
  assert(ws.readyState === ws.OPEN, `this connection cannot be taken out: readyState is ${ws.readyState}`);
  assert(outputDrained(socket), 'this connection cannot be taken out: it has unsent output');
  const insides = insidesOf(ws, socket);
  const { _receiver: receiver, _sender: sender } = insides.ws;
  assert(ws.extensions === '', `extensions cannot travel: ${ws.extensions}`);
  assert(sender._state === 0 && sender._queue.length === 0, 'ws has frames that it has not written');
  const parsed = receiverBytes(receiver);
  assert(receiver.writableLength === 0, 'ws has bytes that it has not parsed');
  stopReading(ws, socket);
  detach(insides);
  return { head: Buffer.concat([parsed, ...buffered(socket)]), handle: insides.handle };
}

/** A new `ws` on a socket that was taken out here and stays: not reading until `startReading`. */
export function putBack(socket: Socket, head: Buffer, server: WebSocketServer): WebSocket {
  return buildWebSocket(server, socket, head);
}

/** A handle that came from another process, as a socket like those of http.Server, which does not read. */
export function socketFromHandle(handle: SentHandle): Socket {
  const options: SocketConstructorOpts & { handle: SentHandle; pauseOnCreate: boolean } = {
    handle,
    allowHalfOpen: true,
    pauseOnCreate: true,
  };
  const socket = new Socket(options);
  stopStream(socket);
  socket.on('error', onErrorBetweenOwners);
  return socket;
}

/**
 * As WebSocketServer does it after its handshake, with the options of that server. Nothing is read, not even the head, until
 * `startReading`; frames can be sent at once.
 */
export function buildWebSocket(server: WebSocketServer, socket: Socket, head: Buffer): WebSocket {
  const options = optionsOf(server);
  assert(!options.clientTracking, 'a server that tracks its clients would not know this one');
  assert(!options.perMessageDeflate, 'extensions cannot travel');
  assert(canTravel(socket), 'no WebSocket can be built on a connection that is over');
  assert(socket.readableFlowing === false && Object.hasOwn(socket, '_read'), 'this socket reads already');
  const ws = new options.WebSocket(null, undefined, options);
  ws.setSocket(socket, head, options);
  ws.pause();
  socket.off('error', onErrorBetweenOwners);
  return ws;
}

/**
 * This process's copy goes; the connection lives on with the other one. Its server counts one connection less. Without
 * another copy this ends the connection.
 */
export function closeCopy(socket: Socket): void {
  // A plain close(2), no shutdown(2): nothing is unsent, nothing was ended.
  socket.destroy();
}

function detach({ ws, socket, kWebSocket, listeners }: Insides): void {
  for (const [event, listener] of Object.entries(listeners)) socket.off(event, listener);
  socket.on('error', onErrorBetweenOwners);
  Reflect.set(socket, kWebSocket, undefined);
  // Whatever it would still tell, such as a drain, must not reach the socket or the session.
  ws._receiver.removeAllListeners();
  // From here on send, ping, close, terminate, pause and resume do nothing.
  ws._readyState = 3;
}

function buffered(socket: Socket): Buffer[] {
  const chunks: Buffer[] = [];
  for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) chunks.push(chunk);
  return chunks;
}

/**
 * A paused stream still fills its buffer: after `unshift`, after `read`, and in a later tick. An own `_read` that does nothing
 * hides the one of net.Socket, which would make the handle read.
 */
function stopStream(socket: Socket): void {
  socket._read = readNothing;
}

function readNothing(): void {
  // Reading goes on with startReading.
}

function onErrorBetweenOwners(): void {
  // Whoever owns the connection next finds the same error when it reads or writes; here it must only not end the process.
}
