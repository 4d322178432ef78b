/**
 * Stands between a store and its server and harms one COMMIT: the moment in which nobody can know whether it was kept. Or it
 * answers SET itself, as a proxy does that has its own idea of a session.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * lost: the server never gets it. unanswered: the server keeps it, its answer never arrives. late: the connection is lost
 * first, the server gets it a moment afterwards.
 */
export type Harm = 'lost' | 'unanswered' | 'late';

const LATE_MS = 400;
/** Packet of a statement: length, number, then 3 and the text. */
const COMMIT = Buffer.from([7, 0, 0, 0, 3, ...Buffer.from('COMMIT')]);
const SET_NAMES = Buffer.from('\x03SET NAMES');
/** "Done": nothing changed, no warnings. */
const OK = Buffer.from([7, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0]);

export class SqlProxy {
  readonly port: number;
  harm: Harm | null = null;
  harmed = 0;
  /** SET NAMES, with all that is set beside it, does not reach the server. */
  keepsSettings = false;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async start(serverPort: number): Promise<SqlProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const proxy = new SqlProxy(server, address.port);
    server.on('connection', (client) => proxy.#join(client, connect(serverPort, '127.0.0.1')));
    return proxy;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(client: Socket, server: Socket): void {
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      // A peer that is gone is what this proxy is for.
      socket.on('error', () => other.destroy());
    }
    server.on('data', (data) => {
      if (!client.destroyed) client.write(data);
    });
    server.on('close', () => client.destroy());
    client.on('data', (data) => {
      if (this.keepsSettings && data.subarray(4).indexOf(SET_NAMES) === 0) {
        client.write(OK);
        return;
      }
      const harm = this.harm;
      if (harm === null || !data.equals(COMMIT)) {
        server.write(data);
        return;
      }
      this.harm = null;
      this.harmed += 1;
      client.destroy();
      if (harm === 'lost') server.destroy();
      else void this.#deliver(server, data, harm);
    });
    client.on('end', () => server.end());
  }

  async #deliver(server: Socket, data: Buffer, harm: Harm): Promise<void> {
    if (harm === 'late') await sleep(LATE_MS);
    server.write(data);
  }
}
