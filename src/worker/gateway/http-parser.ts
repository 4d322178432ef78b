/**
 * Whether a connection stands between two HTTP messages: nothing of a next request has been read. Only then can it be
 * closed without cutting a call, or be given to another process.
 *
 * Node does not tell, but its parser knows: `socket.parser.duration()` is 0 from the end of a message to the first byte of
 * the next (lib/_http_server.js gives each socket its parser, src/node_http_parser.cc counts). A test holds it for the
 * versions of Node that are supported.
 */
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
 * For a connection that came between two calls from another process: Node takes each connection for new, whose first call
 * is due within `headersTimeout`. Removed from the parser's list of what is due, it comes back to it with the first byte
 * of the next call. Until then the connection may be as idle as any that is kept.
 */
export function awaitNextCall(socket: Socket, idleMs: number): void {
  socket.setTimeout(idleMs);
  const parser: unknown = Reflect.get(socket, 'parser');
  if (typeof parser !== 'object' || parser === null) return;
  const remove: unknown = Reflect.get(parser, 'remove');
  if (typeof remove === 'function') Reflect.apply(remove, parser, []);
}
