/**
 * The end of a connection after its last answer. `end` alone waits for a client that does not take the answer, or does not
 * close its side, as long as that likes.
 */
import type { Duplex } from 'node:stream';

/** For the answer to go out, and for the client to close its side. */
const CLOSE_MS = 2000;

/** Closes it when what is written is out, or does not go out. */
export function closeSoon(socket: Duplex): void {
  const timer = setTimeout(() => socket.destroy(), CLOSE_MS).unref();
  socket.once('close', () => clearTimeout(timer));
  if (!socket.writableEnded) socket.end();
}
