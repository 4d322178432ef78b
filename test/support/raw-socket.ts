/** Bytes on a TCP connection, for what no decent client would send. */
import { connect, type Socket } from 'node:net';

export class RawSocket {
  readonly socket: Socket;
  received = Buffer.alloc(0);
  closed = false;
  readonly #watchers = new Set<() => void>();

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (data) => {
      this.received = Buffer.concat([this.received, data]);
      this.#changed();
    });
    socket.on('close', () => {
      this.closed = true;
      this.#changed();
    });
    socket.on('error', () => {
      // told by `close`
    });
  }

  static open(port: number): Promise<RawSocket> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(new RawSocket(socket)));
      socket.once('error', reject);
    });
  }

  /** A WebSocket handshake, done by hand. */
  static async upgraded(port: number): Promise<RawSocket> {
    const raw = await RawSocket.open(port);
    raw.socket.write(
      'GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
    );
    await raw.until(() => raw.text.includes('"hello"'));
    return raw;
  }

  get text(): string {
    return this.received.toString('latin1');
  }

  /** The code of the close frame that came last, or null. */
  get closeCode(): number | null {
    const at = this.received.lastIndexOf(0x88);
    return at === -1 || this.received.length < at + 4 ? null : this.received.readUInt16BE(at + 2);
  }

  until(look: () => boolean, waitMs = 20_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#watchers.delete(watch);
        reject(new Error(`waited ${waitMs} ms for ${look.toString()}; got ${this.text.slice(-300)}`));
      }, waitMs);
      const watch = (): void => {
        if (!look()) return;
        clearTimeout(timer);
        this.#watchers.delete(watch);
        resolve();
      };
      this.#watchers.add(watch);
      watch();
    });
  }

  destroy(): void {
    this.socket.destroy();
  }

  #changed(): void {
    for (const watch of [...this.#watchers]) watch();
  }
}

/** A masked client frame (the mask is zero, so the payload is as it is). */
export function clientFrame(payload: Buffer, options: { opcode?: number; fin?: boolean } = {}): Buffer {
  const { opcode = 1, fin = true } = options;
  const first = (fin ? 0x80 : 0) | opcode;
  const mask = Buffer.alloc(4);
  if (payload.length < 126)
    return Buffer.concat([Buffer.from([first, 0x80 | payload.length]), mask, payload]);
  if (payload.length < 65_536) {
    const head = Buffer.from([first, 0x80 | 126, 0, 0]);
    head.writeUInt16BE(payload.length, 2);
    return Buffer.concat([head, mask, payload]);
  }
  const head = Buffer.alloc(10);
  head[0] = first;
  head[1] = 0x80 | 127;
  head.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([head, mask, payload]);
}
