/** A Worker's HTTP server on a port of its own: connections come from a real listener, as from the front door. */
import type http from 'node:http';
import { connect, type Server, Socket, type SocketConstructorOpts } from 'node:net';
import type { Duplex } from 'node:stream';
import { type AcceptedHandle, openListener } from '../../src/master/accept/listener.js';
import { systemSchema } from '../../src/platform/config/config-schema.js';
import type { HttpConnectionsDeps } from '../../src/worker/gateway/http-connections.js';
import { createHttpServer, type HttpServer } from '../../src/worker/gateway/http-server.js';
import { FakeClock } from './fake-clock.js';
import { recordedLog } from './recorded-log.js';

export class HttpSite {
  readonly clock = new FakeClock();
  readonly log = recordedLog();
  readonly server: HttpServer;
  readonly refused: string[] = [];
  /** Answers the oldest call that waits; calls arrive here. */
  readonly calls: http.ServerResponse[] = [];
  /** What the calls asked for. */
  readonly requests: { method: string; url: string; host: string | undefined; body: string }[] = [];
  readonly upgraded: Duplex[] = [];
  /** False: handshakes are refused, with an answer that the test writes. */
  opens = true;
  /** What came behind each handshake, before its answer. */
  readonly heads: string[] = [];
  readonly givenBack: Socket[] = [];
  limits = { max: 100, perAddress: 100 };
  /** Connections come from another Worker, which has answered calls on them. */
  kept = false;
  addressKey: (address: string) => string | null = () => null;
  giveBack: (socket: Socket, kept: boolean) => Promise<boolean> = async (socket) => {
    this.givenBack.push(socket);
    return true;
  };
  readonly #clients: Client[] = [];
  #listener: Server | null = null;
  port = 0;

  private constructor() {
    const deps: Pick<HttpConnectionsDeps, 'limits' | 'addressKey' | 'onRefused'> = {
      limits: () => this.limits,
      addressKey: (address) => this.addressKey(address),
      onRefused: (reason) => void this.refused.push(reason),
    };
    this.server = createHttpServer({
      ...deps,
      system: () => systemSchema.parse({ HandshakeSeconds: 1 }),
      clock: this.clock,
      log: this.log,
      giveBack: (socket, kept) => this.giveBack(socket, kept),
      onRequest: (req, res) => {
        const arrived = { method: req.method ?? '', url: req.url ?? '', host: req.headers.host, body: '' };
        this.requests.push(arrived);
        req.on('data', (part: Buffer) => {
          arrived.body += part.toString();
        });
        this.calls.push(res);
      },
      onContinue() {},
      onHeadFault: (_req, res, { status, msg }) => {
        res.writeHead(status, { Connection: 'close' }).end(msg);
      },
      onUpgrade: async (_req, socket, head) => {
        this.upgraded.push(socket);
        this.heads.push(head.toString());
        return this.opens;
      },
    });
  }

  static async open(): Promise<HttpSite> {
    const site = new HttpSite();
    const { server, address } = await openListener(
      { host: '127.0.0.1', port: 0, backlog: 512 },
      (_, handle) => {
        if (handle) site.server.take(socketOf(handle), site.kept);
      },
    );
    site.#listener = server;
    site.port = Number(address.split(':').at(-1));
    return site;
  }

  /** @param stays it does not close its side when the server has closed the other. */
  async client({ stays = false } = {}): Promise<Client> {
    const client = new Client(this.port, stays);
    this.#clients.push(client);
    await client.connected;
    return client;
  }

  /** A client whose first call was answered. */
  async keptClient(): Promise<Client> {
    const client = await this.client();
    client.call();
    await this.answer();
    await until(() => client.text.includes('done'));
    return client;
  }

  async answer(): Promise<void> {
    await until(() => this.calls.length > 0);
    this.calls.shift()?.end('done');
  }

  async dispose(): Promise<void> {
    for (const { socket } of this.#clients) socket.destroy();
    for (const socket of this.upgraded) socket.destroy();
    for (const socket of this.givenBack) socket.destroy();
    this.#listener?.close();
    await this.server.close();
  }
}

export class Client {
  readonly socket: Socket;
  readonly connected: Promise<void>;
  /** Everything that was received. */
  text = '';
  ended = false;
  fault: string | null = null;

  constructor(port: number, allowHalfOpen = false) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen });
    this.connected = new Promise((resolve) => this.socket.once('connect', resolve));
    this.socket.on('data', (chunk) => {
      this.text += chunk.toString();
    });
    this.socket.on('error', (error) => {
      this.fault = error.message;
    });
    this.socket.on('close', () => {
      this.ended = true;
    });
  }

  call(times = 1): void {
    this.socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n'.repeat(times));
  }

  upgrade(): void {
    this.socket.write(
      'GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
  }
}

export async function until(happened: () => boolean): Promise<void> {
  while (!happened()) await new Promise((resolve) => setTimeout(resolve, 1));
}

export function socketOf(handle: AcceptedHandle): Socket {
  const options: SocketConstructorOpts & { handle: AcceptedHandle } = { handle, allowHalfOpen: true };
  return new Socket(options);
}
