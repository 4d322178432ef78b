/** A WebSocket client that decides itself when which byte leaves, and sees what the server does to the connection. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export class RawClient {
  readonly socket: Socket;
  /** Payloads of the text frames that came. */
  readonly texts: string[] = [];
  /** 'end', 'close' or an error: what a client must not see. */
  readonly trouble: string[] = [];
  #unread: Buffer = Buffer.alloc(0);
  #watchers: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay();
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('end', () => this.#note('end'));
    socket.on('close', () => this.#note('close'));
    socket.on('error', (error: NodeJS.ErrnoException) => this.#note(error.code ?? error.message));
  }

  static async open(port: number): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const client = new RawClient(socket);
    socket.write(
      'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    await client.until(() => client.#upgraded);
    return client;
  }

  get from(): string {
    return `${this.socket.localAddress}:${this.socket.localPort}`;
  }

  async until(done: () => boolean): Promise<void> {
    while (!done()) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  #upgraded = false;

  #read(chunk: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, chunk]);
    const end = this.#unread.indexOf('\r\n\r\n');
    if (!this.#upgraded && end >= 0) {
      this.#upgraded = true;
      this.#unread = this.#unread.subarray(end + 4);
    }
    while (this.#upgraded && this.#takeFrame()) {
      // one after the other
    }
    this.#tell();
  }

  #note(trouble: string): void {
    this.trouble.push(trouble);
    this.#tell();
  }

  #tell(): void {
    for (const tell of this.#watchers.splice(0)) tell();
  }

  #takeFrame(): boolean {
    const bytes = this.#unread;
    if (bytes.length < 2) return false;
    const short = (bytes[1] ?? 0) & 127;
    const header = short === 127 ? 10 : short === 126 ? 4 : 2;
    if (bytes.length < header) return false;
    const length =
      short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short;
    if (bytes.length < header + length) return false;
    if (bytes[0] === 0x81) this.texts.push(bytes.toString('utf8', header, header + length));
    this.#unread = bytes.subarray(header + length);
    return true;
  }
}
