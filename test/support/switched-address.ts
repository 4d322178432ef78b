/**
 * One address behind which servers change, as a virtual IP or a TCP proxy does. Connections that are open stay with the server they
 * reached, unless they are cut.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';

export class SwitchedAddress {
  readonly port: number;
  #target: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, port: number, target: number) {
    this.#server = server;
    this.port = port;
    this.#target = target;
  }

  static async open(target: number): Promise<SwitchedAddress> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const switched = new SwitchedAddress(server, address.port, target);
    server.on('connection', (client) => switched.#join(client, connect(switched.#target, '127.0.0.1')));
    return switched;
  }

  /** From now on new connections reach this port. */
  switchTo(port: number): void {
    this.#target = port;
  }

  /** Ends what is open. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(client: Socket, server: Socket): void {
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      // A peer that is gone is what this is for.
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  }
}
