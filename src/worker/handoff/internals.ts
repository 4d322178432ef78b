/**
 * What is known of the insides of `ws` and of Node's net.Socket: the fields that are used, checked before they are. What
 * differs from docs/decisions/0011-hand-over.md is named, field by field, and nothing is touched.
 */
import type { Socket } from 'node:net';
import type { WebSocket, WebSocketServer } from 'ws';
import type { SentHandle } from '../../platform/rpc/peer.js';
import { assert } from '../../shared/base/assert.js';
import type { ReceiverState } from './receiver-bytes.js';

/** A TCP connection as libuv holds it: `socket._handle`. */
export interface TcpHandle extends SentHandle {
  /** What net.Socket believes: whether it has called readStart. */
  reading: boolean;
  readStop(): number;
  /** Bytes that libuv has not given to the kernel. */
  readonly writeQueueSize: number;
}

export interface OpenSocket extends Socket {
  readonly _handle: TcpHandle | null;
  /** `ended`: the end of the stream was read; it may not have been told yet. */
  readonly _readableState: { readonly ended: boolean };
}

interface OpenReceiver extends ReceiverState {
  readonly writableLength: number;
  write(chunk: Buffer): boolean;
  removeAllListeners(): void;
}

interface OpenWebSocket {
  _readyState: number;
  readonly _receiver: OpenReceiver;
  readonly _sender: { readonly _state: number; readonly _queue: readonly unknown[] };
}

type SocketEvent = 'close' | 'data' | 'end' | 'error';
type Listener = (...args: unknown[]) => void;

/** Everything about one connection that taking it out needs. */
export interface Insides {
  readonly ws: OpenWebSocket;
  readonly socket: OpenSocket;
  readonly handle: TcpHandle;
  /** Where the socket refers to its ws. */
  readonly kWebSocket: symbol;
  /** The four listeners of ws on the socket. */
  readonly listeners: Readonly<Record<SocketEvent, Listener>>;
}

type Shape = Readonly<Record<string, 'number' | 'boolean' | 'function' | 'array' | 'buffer or undefined'>>;

const SOCKET_SHAPE: Shape = { _read: 'function', writableLength: 'number' };
const READABLE_SHAPE: Shape = { ended: 'boolean' };
const HANDLE_SHAPE: Shape = {
  reading: 'boolean',
  readStart: 'function',
  readStop: 'function',
  writeQueueSize: 'number',
  close: 'function',
};
const RECEIVER_SHAPE: Shape = {
  _state: 'number',
  _fin: 'boolean',
  _opcode: 'number',
  _payloadLength: 'number',
  _masked: 'boolean',
  _mask: 'buffer or undefined',
  _buffers: 'array',
  _bufferedBytes: 'number',
  _fragmented: 'number',
  _fragments: 'array',
  _numFragments: 'number',
  _maxFragments: 'number',
  _compressed: 'boolean',
  _isServer: 'boolean',
  _errored: 'boolean',
  _loop: 'boolean',
  writableLength: 'number',
};
const SENDER_SHAPE: Shape = { _state: 'number', _queue: 'array' };
const WS_SHAPE: Shape = { _readyState: 'number', setSocket: 'function' };
const OPTIONS_SHAPE: Shape = {
  WebSocket: 'function',
  maxPayload: 'number',
  maxFragments: 'number',
  maxBufferedChunks: 'number',
  maxPendingAutoPongs: 'number',
  closeTimeout: 'number',
  autoPong: 'boolean',
  allowSynchronousEvents: 'boolean',
  skipUTF8Validation: 'boolean',
  perMessageDeflate: 'boolean',
};
/** The names ws gives its listeners on the socket; each is there once. */
const LISTENERS: Readonly<Record<SocketEvent, string>> = {
  close: 'socketOnClose',
  data: 'socketOnData',
  end: 'socketOnEnd',
  error: 'socketOnError',
};

/** Throws AssertionError, with all that is different, when it is not as it was looked at. Changes nothing. */
export function insidesOf(ws: WebSocket, socket: Socket): Insides {
  assertNothingDiffers(differencesOf(ws, socket));
  const open = socket as OpenSocket;
  return {
    ws: ws as unknown as OpenWebSocket,
    socket: open,
    handle: open._handle as TcpHandle,
    kWebSocket: webSocketSymbols(ws, socket)[0] as symbol,
    listeners: {
      close: listenersOfWs(socket, 'close')[0] as Listener,
      data: listenersOfWs(socket, 'data')[0] as Listener,
      end: listenersOfWs(socket, 'end')[0] as Listener,
      error: listenersOfWs(socket, 'error')[0] as Listener,
    },
  };
}

/** Options as WebSocketServer completes them: what its own upgrade gives to `setSocket`. */
export interface ServerInsides {
  readonly WebSocket: new (
    address: null,
    protocols: undefined,
    options: unknown,
  ) => WebSocket & {
    setSocket(socket: Socket, head: Buffer, options: unknown): void;
  };
  readonly clientTracking: boolean;
  readonly perMessageDeflate: unknown;
}

export function optionsOf(server: WebSocketServer): ServerInsides {
  assertNothingDiffers(shapeDifferences('server.options', server.options, OPTIONS_SHAPE));
  return server.options as unknown as ServerInsides;
}

/** What is not as it was looked at, one line each; none when all is well. */
export function differencesOf(ws: WebSocket, socket: Socket): string[] {
  const { _receiver, _sender } = ws as unknown as Record<string, unknown>;
  const { _handle, _readableState } = socket as unknown as Record<string, unknown>;
  return [
    ...shapeDifferences('ws', ws, WS_SHAPE),
    ...shapeDifferences('ws._receiver', _receiver, RECEIVER_SHAPE),
    ...shapeDifferences('ws._sender', _sender, SENDER_SHAPE),
    ...shapeDifferences('socket', socket, SOCKET_SHAPE),
    ...shapeDifferences('socket._readableState', _readableState, READABLE_SHAPE),
    ...handleDifferences(_handle),
    ...listenerDifferences(socket),
    ...amountDifference('symbols of the socket that lead to its ws', webSocketSymbols(ws, socket).length),
  ];
}

export function handleDifferences(handle: unknown): string[] {
  return shapeDifferences('socket._handle', handle, HANDLE_SHAPE);
}

export function assertNothingDiffers(differences: readonly string[]): void {
  assert(
    differences.length === 0,
    `ws or Node is not as the hand-over of connections knows it: ${differences.join('; ')}. Connections are closed instead of handed over; docs/decisions/0011-hand-over.md says what to look at and which tests to run`,
  );
}

function listenerDifferences(socket: Socket): string[] {
  return [
    ...Object.entries(LISTENERS).flatMap(([event, name]) =>
      amountDifference(
        `listeners ${name} of the socket's ${event}`,
        listenersOfWs(socket, event as SocketEvent).length,
      ),
    ),
    ...amountDifference(`listeners of the socket's data`, socket.listenerCount('data')),
  ];
}

function listenersOfWs(socket: Socket, event: SocketEvent): Listener[] {
  const listeners = socket.listeners(event) as Listener[];
  return listeners.filter(({ name }) => name === LISTENERS[event]);
}

function webSocketSymbols(ws: WebSocket, socket: Socket): symbol[] {
  const symbols = Object.getOwnPropertySymbols(socket);
  return symbols.filter((symbol) => (socket as unknown as Record<symbol, unknown>)[symbol] === ws);
}

function amountDifference(what: string, amount: number): string[] {
  return amount === 1 ? [] : [`${amount} ${what} where one was expected`];
}

function shapeDifferences(where: string, value: unknown, shape: Shape): string[] {
  if (typeof value !== 'object' || value === null) return [`${where} is no object`];
  const fields = value as Record<string, unknown>;
  return Object.entries(shape).flatMap(([name, kind]) => {
    if (!(name in fields)) return [`${where}.${name} is missing`];
    return kindsOf(fields[name]).includes(kind) ? [] : [`${where}.${name} is no ${kind}`];
  });
}

function kindsOf(value: unknown): string[] {
  if (Array.isArray(value)) return ['array'];
  return value === undefined || Buffer.isBuffer(value) ? ['buffer or undefined'] : [typeof value];
}
