/**
 * The connections of the control socket: JSON lines in, events and answers out. Several requests may be under way on one
 * connection; every number is bounded. Where the socket's file is, is told by `control-socket.ts`.
 */
import type { Socket } from 'node:net';
import type { Log } from '../../platform/log/log.js';
import { errorText } from '../../shared/base/errors.js';
import { CONTROL_LINE_BYTES_MAX, type ControlResponse } from '../../shared/protocol/control-commands.js';
import type { ControlHandlers } from './control-handlers.js';
import { dispatch } from './dispatch.js';
import { LineReader } from './line-reader.js';

const CONNECTIONS_MAX = 64;
const REQUESTS_PER_CONNECTION_MAX = 32;
/** Answers that a client does not read. */
const UNREAD_BYTES_MAX = 8 * CONTROL_LINE_BYTES_MAX;
/** For the last answers when the master goes. */
const CLOSE_MS = 1000;

export class ControlServer {
  readonly #handlers: ControlHandlers;
  readonly #log: Log;
  /** The one that was used longest ago first, with the number of its requests under way. */
  readonly #sockets = new Map<Socket, number>();
  readonly #requests = new Set<Promise<void>>();

  constructor(handlers: ControlHandlers, log: Log) {
    this.#handlers = handlers;
    this.#log = log;
  }

  accept(socket: Socket): void {
    if (this.#sockets.size >= CONNECTIONS_MAX && !this.#closeIdle()) {
      refuse(socket, 'RPC_BUSY', `${CONNECTIONS_MAX} control connections with requests are open already`);
      return;
    }
    this.#sockets.set(socket, 0);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', (error) => this.#log.debug('control.connection', { error: errorText(error) }));
    const reader = new LineReader(CONTROL_LINE_BYTES_MAX);
    let underWay = 0;
    socket.on('data', (chunk: Buffer) => {
      let lines: string[];
      try {
        lines = reader.push(chunk);
      } catch (error) {
        refuse(socket, 'CONTROL_BAD_REQUEST', errorText(error));
        return;
      }
      for (const line of lines) {
        if (underWay >= REQUESTS_PER_CONNECTION_MAX) {
          refuse(
            socket,
            'RPC_BUSY',
            `${REQUESTS_PER_CONNECTION_MAX} requests are under way on this connection`,
          );
          return;
        }
        underWay += 1;
        this.#used(socket, underWay);
        const request = this.#answer(socket, line).finally(() => {
          underWay -= 1;
          this.#used(socket, underWay);
          this.#requests.delete(request);
        });
        this.#requests.add(request);
      }
    });
  }

  /** Gives the last answers their way out. */
  async close(): Promise<void> {
    await within(CLOSE_MS, Promise.all(this.#requests));
    const closed = [...this.#sockets.keys()].map(
      (socket) => new Promise<void>((resolve) => socket.once('close', () => resolve()).end()),
    );
    await within(CLOSE_MS, Promise.all(closed));
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  #used(socket: Socket, underWay: number): void {
    // One that has closed meanwhile stays out.
    if (this.#sockets.delete(socket)) this.#sockets.set(socket, underWay);
  }

  /** Makes room: whoever only holds a connection open must not keep a person out who wants to stop the server. */
  #closeIdle(): boolean {
    for (const [socket, underWay] of this.#sockets) {
      if (underWay > 0) continue;
      this.#sockets.delete(socket);
      socket.destroy();
      return true;
    }
    return false;
  }

  async #answer(socket: Socket, line: string): Promise<void> {
    const send = (response: ControlResponse): void => {
      if (!socket.writable) return;
      if (socket.writableLength > UNREAD_BYTES_MAX) {
        this.#log.warn('control.slowReader', { unreadBytes: socket.writableLength });
        socket.destroy();
        return;
      }
      socket.write(`${JSON.stringify(response)}\n`);
    };
    await dispatch({ handlers: this.#handlers, log: this.#log }, line, send);
  }
}

/** An answer to nothing in particular, and the end of the connection. */
function refuse(socket: Socket, code: string, message: string): void {
  const response: ControlResponse = { id: 0, ok: false, error: { code, message } };
  socket.on('error', () => socket.destroy());
  socket.removeAllListeners('data').resume();
  socket.end(`${JSON.stringify(response)}\n`);
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
