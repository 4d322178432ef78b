/**
 * Whether the `ws` and the Node of this process are those that the hand-over was written for. Finds out in memory, without
 * a connection: a WebSocket on a handle that is made here gets half a frame and is taken out again.
 */
import { Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import wsPackage from 'ws/package.json' with { type: 'json' };
import { assertNothingDiffers, differencesOf, handleDifferences, insidesOf } from './internals.js';
import {
  buildWebSocket,
  closeCopy,
  putBack,
  socketFromHandle,
  startReading,
  takeOut,
} from './socket-surgery.js';

/** Versions of ws whose receiver.js, websocket.js and websocket-server.js were read for this. */
const WS_LOOKED_AT = ['8.23'];

/** What is looked at: of this process, or a doctored one in tests. */
export interface Specimen {
  readonly wsVersion: string;
  /** A real TCP handle, connected to nothing. */
  readonly tcpHandle: unknown;
  readonly server: WebSocketServer;
  /** A connection on a handle that only counts. */
  readonly ws: WebSocket;
  readonly socket: Socket;
  readonly calls: HandleCalls;
}

interface HandleCalls {
  readStart: number;
  close: number;
}

/** The beginning of a frame with "abc": text, masked with 1 2 3 4. The first part is parsed, the second only read. */
const PARSED = Buffer.from([0x81, 0x83, 1, 2]);
const READ = Buffer.from([3, 4, 0x61 ^ 1]);

let known = false;

/** Throws AssertionError with everything that is different. Done once; to be called before the first connection is taken out. */
export function assertKnownInternals(): void {
  if (known) return;
  assertKnownSpecimen(createSpecimen());
  known = true;
}

/** Uses the specimen's connection up. */
export function assertKnownSpecimen(specimen: Specimen): void {
  const { wsVersion, tcpHandle, ws, socket } = specimen;
  try {
    assertNothingDiffers([
      ...versionDifference(wsVersion),
      ...typeDifference(tcpHandle),
      ...handleDifferences(tcpHandle),
      ...differencesOf(ws, socket),
    ]);
    assertNothingDiffers(behaviourDifferences(specimen));
  } finally {
    // What is not as it should be must not be fed with what the socket still holds.
    socket.removeAllListeners();
    socket.destroy();
  }
}

export function createSpecimen(): Specimen {
  const server = new WebSocketServer({ noServer: true, clientTracking: false });
  const calls: HandleCalls = { readStart: 0, close: 0 };
  const socket = socketFromHandle(new TCP(calls));
  return {
    wsVersion: wsPackage.version,
    tcpHandle: unconnectedHandle(),
    server,
    ws: buildWebSocket(server, socket, READ),
    socket,
    calls,
  };
}

/** Half a frame goes in, is taken out as it went in, and the connection goes on; all in this turn of the loop. */
function behaviourDifferences({ server, ws, socket, calls }: Specimen): string[] {
  insidesOf(ws, socket).ws._receiver.write(PARSED);
  const { head } = takeOut(ws, socket);
  const readEarly = calls.readStart;
  startReading(putBack(socket, head, server), socket);
  const readLate = calls.readStart;
  closeCopy(socket);
  return [
    ...(head.equals(Buffer.concat([PARSED, READ]))
      ? []
      : [`half a frame came out as ${head.toString('hex')}`]),
    ...(readEarly === 0 ? [] : ['a socket that was stopped reads']),
    ...(readLate === 1 ? [] : ['a socket that was started does not read']),
    ...(calls.close === 1 ? [] : ['a destroyed socket does not close its handle']),
  ];
}

function versionDifference(version: string): string[] {
  if (WS_LOOKED_AT.some((known) => version.startsWith(`${known}.`))) return [];
  return [`ws is ${version}, looked at were ${WS_LOOKED_AT.map((known) => `${known}.x`).join(', ')}`];
}

function typeDifference(handle: unknown): string[] {
  const name = (handle as object | null | undefined)?.constructor.name;
  return name === 'TCP' ? [] : [`socket._handle is a ${name}, no TCP`];
}

/** Made by a connect that is called off before anything is done for it. */
function unconnectedHandle(): unknown {
  const socket = new Socket();
  socket.connect({ host: '127.0.0.1', port: 1 });
  const handle = Reflect.get(socket, '_handle');
  socket.destroy();
  return handle;
}

/** Named as the class in Node that it stands for, by whose name a TCP handle is known. */
class TCP {
  reading = false;
  readonly writeQueueSize = 0;
  readonly #calls: HandleCalls;

  constructor(calls: HandleCalls) {
    this.#calls = calls;
  }

  readStart(): number {
    this.#calls.readStart += 1;
    return 0;
  }

  readStop(): number {
    return 0;
  }

  close(closed?: () => void): void {
    this.#calls.close += 1;
    if (closed) setImmediate(closed);
  }
}
