/**
 * What spush asks of Node's HTTP parser beyond its public interface. Tests hold each for the versions of Node that are supported.
 *
 * Whether a connection stands between two messages, so that nothing of a next request has been read: only then can it be
 * closed without cutting a call, or be given to another process. `socket.parser.duration()` is 0 from the end of a message
 * to the first byte of the next (lib/_http_server.js gives each socket its parser, src/node_http_parser.cc counts).
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** @returns null when that cannot be told: of TLS, or of a Node whose parser is another one */
export function isBetweenMessages(socket: Socket): boolean | null {
  // The parser counts a connection that is new as one whose first message has begun.
  if (socket.bytesRead === 0) return true;
  const parser: unknown = Reflect.get(socket, 'parser');
  if (typeof parser !== 'object' || parser === null) return null;
  const duration: unknown = Reflect.get(parser, 'duration');
  if (typeof duration !== 'function') return null;
  const ms: unknown = Reflect.apply(duration, parser, []);
  return typeof ms === 'number' ? ms === 0 : null;
}

/**
 * For a connection that another Worker handed over between two calls. Node treats every connection it is given as a new
 * one and expects a request within `headersTimeout`. Taking the parser off its list of deadlines prevents that; Node puts
 * it back at the first byte of the next request. Until then only `idleMs` limits how long the connection may be idle.
 */
export function awaitNextCall(socket: Socket, idleMs: number): void {
  socket.setTimeout(idleMs);
  const parser: unknown = Reflect.get(socket, 'parser');
  if (typeof parser !== 'object' || parser === null) return;
  const remove: unknown = Reflect.get(parser, 'remove');
  if (typeof remove === 'function') Reflect.apply(remove, parser, []);
}

/** What Node's own handler returns for a request behind which the connection carries another protocol: parsing ends there. */
const NO_MORE_HTTP = 2;

/**
 * For a connection that is being closed while what it sent is parsed. Otherwise Node makes request and response objects of
 * all pipelined requests that came with it: a thousand in 36 KB.
 */
export function stopParsing(socket: Socket): void {
  const parser: unknown = Reflect.get(socket, 'parser');
  if (typeof parser !== 'object' || parser === null) return;
  // A parser that is freed loses this; the next connection it serves gets Node's handler (lib/_http_common.js).
  Reflect.set(parser, 'onIncoming', () => NO_MORE_HTTP);
}

/** Whether the head of this answer is made and says `Connection: close` (`_last` in lib/_http_outgoing.js). */
export function endsConnection(res: ServerResponse): boolean {
  return Reflect.get(res, '_last') === true;
}
