/**
 * Which requests are WebSocket handshakes, and that all others are calls. A proxy may put `Upgrade: websocket` and
 * `Connection: upgrade` on everything it passes on, and some clients offer h2c or TLS: an offer need not be taken
 * (RFC 9110 §7.8), and a call that carries one is answered like any other.
 *
 * Node's parser takes each such request for the last HTTP message of its connection. Two things make it go on: a request
 * says of itself whether it is an upgrade (`OfferingMessage`, which the server is told to make), and the bytes behind a call
 * at which the parser stopped are given to it again (`readOnAfterOffers`), because Node would drop them.
 */
import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/** RFC 6455 §4.1: what a client must send to open a WebSocket; the version is judged later. */
export function isHandshake({ method, headers }: Pick<IncomingMessage, 'method' | 'headers'>): boolean {
  return (
    method === 'GET' && headers['sec-websocket-key'] !== undefined && offersWebSocket(headers.upgrade ?? '')
  );
}

function offersWebSocket(upgrade: string): boolean {
  return upgrade.split(',').some((protocol) => protocol.trim().toLowerCase() === 'websocket');
}

/** Connections whose latest request carries an offer: only there the parser stops behind a call, and tells no fault. */
const offering = new WeakSet<Socket>();

/**
 * Node sets `upgrade` to what its parser found, before the headers are there, and asks for it when they are
 * (lib/_http_common.js, lib/_http_server.js). CONNECT has no other meaning and stays what it is.
 */
export class OfferingMessage extends IncomingMessage {
  // No private field: Node's constructor sets `upgrade` before those of a subclass exist.
  private declare offered: unknown;

  get upgrade(): boolean {
    return this.offered === true && (this.method === 'CONNECT' || isHandshake(this));
  }

  set upgrade(offered: unknown) {
    this.offered = offered;
    if (offered === true) offering.add(this.socket);
    else if (offered === false) offering.delete(this.socket);
  }
}

/** Of Node's HTTPParser, what is used here. */
interface Parser {
  readonly incoming: { readonly upgrade: unknown } | null;
  readonly constructor: { readonly kOnExecute?: number };
  execute(bytes: Buffer): number | Error;
  getCurrentBuffer(): Buffer;
  [callback: number]: unknown;
}

/** To be called when the server has given the connection its parser. */
export function readOnAfterOffers(socket: Socket): void {
  const parser = parserOf(socket);
  const at = parser?.constructor.kOnExecute;
  if (!parser || at === undefined) return;
  const executed: unknown = parser[at];
  if (typeof executed !== 'function') return;
  // A parser that is freed loses its callbacks; the next connection it serves gets its own.
  parser[at] = (result: unknown): void => {
    let done = result;
    let bytes: Buffer | null = null;
    while (
      offering.has(socket) &&
      typeof done === 'number' &&
      parserOf(socket) === parser &&
      !socket.destroyed &&
      !parser.incoming?.upgrade
    ) {
      const rest: Buffer = (bytes ?? parser.getCurrentBuffer()).subarray(done);
      if (rest.length === 0) break;
      bytes = rest;
      done = resultOf(parser.execute(rest), rest);
    }
    if (bytes === null) Reflect.apply(executed, parser, [done]);
    else withCurrentBuffer(parser, bytes, () => Reflect.apply(executed, parser, [done]));
  };
}

/**
 * Behind an offer Node tells no fault: it counts from where its parser stopped for good, which is not in these bytes. Without
 * a fault at least one of them is taken.
 */
function resultOf(result: number | Error, bytes: Buffer): number | Error {
  if (typeof result !== 'number' || (result > 0 && result <= bytes.length)) return result;
  const fault = { code: 'HPE_INVALID_CONSTANT', bytesParsed: 0, rawPacket: bytes };
  return Object.assign(new Error('what follows a call is no HTTP'), fault);
}

/** Node takes from there what follows a handshake, and what it tells of a fault. */
function withCurrentBuffer(parser: Parser, bytes: Buffer, run: () => void): void {
  Object.defineProperty(parser, 'getCurrentBuffer', { value: () => bytes, configurable: true });
  try {
    run();
  } finally {
    Reflect.deleteProperty(parser, 'getCurrentBuffer');
  }
}

function parserOf(socket: Socket): Parser | null {
  return (Reflect.get(socket, 'parser') as Parser | null | undefined) ?? null;
}
