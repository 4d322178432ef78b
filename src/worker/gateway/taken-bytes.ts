/** How much of what was written to a socket the kernel has taken: of a large write it takes a part at a time. */
import type { Duplex } from 'node:stream';

export type WrittenSocket = Pick<Duplex, 'writableLength'> & { readonly bytesWritten?: number };

/** Only ever compared with an earlier one of the same socket. */
export function takenBytes(socket: WrittenSocket): number {
  const outer: unknown = Reflect.get(socket, '_handle');
  // Of TLS the one below: what waits encrypted is out at once or not at all.
  const handle =
    isObject(outer) && isObject(Reflect.get(outer, '_parent')) ? Reflect.get(outer, '_parent') : outer;
  if (isObject(handle)) {
    const [given, queued] = [Reflect.get(handle, 'bytesWritten'), Reflect.get(handle, 'writeQueueSize')];
    if (typeof given === 'number' && typeof queued === 'number') return given - queued;
  }
  // Of a stream that does not tell: whole writes.
  return (socket.bytesWritten ?? 0) - socket.writableLength;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
