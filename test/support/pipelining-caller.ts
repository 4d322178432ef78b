/** A caller that sends several posts ahead on one connection, and counts those that were accepted. */
import { connect, type Socket } from 'node:net';

const BODY = JSON.stringify({ uid: 5, title: 'sent ahead', deliver: 'cron' });
const CALL = [
  'POST /api/comment/message HTTP/1.1',
  'Host: localhost',
  'Content-Type: application/json',
  `Content-Length: ${BODY.length}`,
  '',
  BODY,
].join('\r\n');
const ACCEPTED = '"accepted":1';

export class PipeliningCaller {
  /** Resolves when the server has closed the connection. */
  readonly closed: Promise<void>;
  accepted = 0;
  readonly #socket: Socket;
  readonly #depth: number;
  #text = '';
  #waiting = 0;

  constructor(port: number, depth: number) {
    this.#depth = depth;
    this.#socket = connect({ port, host: '127.0.0.1' });
    this.#socket.on('data', (chunk: Buffer) => this.#read(chunk.toString()));
    this.#socket.on('error', () => {}); // told by `close` too
    this.closed = new Promise((resolve) => this.#socket.once('close', () => resolve()));
    this.#sendAll();
  }

  #read(text: string): void {
    this.#text += text;
    for (let at = this.#text.indexOf(ACCEPTED); at >= 0; at = this.#text.indexOf(ACCEPTED)) {
      this.#text = this.#text.slice(at + ACCEPTED.length);
      this.accepted += 1;
      this.#waiting -= 1;
    }
    if (this.#waiting === 0) this.#sendAll();
  }

  /** One by one, so that they arrive in one piece or in several. */
  #sendAll(): void {
    for (let n = 0; n < this.#depth; n += 1) this.#socket.write(CALL);
    this.#waiting = this.#depth;
  }
}
