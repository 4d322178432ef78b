/**
 * A way between a client and a server that can begin to swallow everything, in both directions, without closing anything
 * and without a reset: what a firewall or a dead machine does. New connections are accepted and swallowed too.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** Words of a client that are looked at. */
const SENT_KEPT = 100_000;

interface State {
  swallows: boolean;
  /** Only connections on which the client has sent this word, whatever the case. */
  onlyAfter: string | null;
}

export class BlackHole {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;
  readonly #state: State;

  private constructor(server: Server, sockets: Set<Socket>, state: State) {
    this.#server = server;
    this.#sockets = sockets;
    this.#state = state;
    this.port = (server.address() as AddressInfo).port;
  }

  static async open(targetPort: number): Promise<BlackHole> {
    const sockets = new Set<Socket>();
    const state: State = { swallows: false, onlyAfter: null };
    const server = createServer({ allowHalfOpen: true }, (client) => {
      const target = connect(targetPort, '127.0.0.1');
      let sent = '';
      const swallowed = (): boolean =>
        state.swallows && (state.onlyAfter === null || sent.includes(state.onlyAfter));
      client.on('data', (data) => {
        sent = (sent + data.toString('latin1').toLowerCase()).slice(-SENT_KEPT);
      });
      for (const [from, to] of [
        [client, target],
        [target, client],
      ] as const) {
        sockets.add(from);
        from.on('data', (data) => {
          if (!swallowed()) to.write(data);
        });
        // A connection that ends while everything is swallowed never tells the other side.
        from.on('close', () => {
          sockets.delete(from);
          if (!swallowed()) to.destroy();
        });
        from.on('end', () => {
          if (!swallowed()) to.end();
        });
        from.on('error', () => from.destroy());
      }
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new BlackHole(server, sockets, state);
  }

  swallow({ onlyAfter = null }: { onlyAfter?: string | null } = {}): void {
    this.#state.swallows = true;
    this.#state.onlyAfter = onlyAfter;
  }

  /** New connections work again; the old ones stay dead, as packets of theirs are missing. */
  heal(): void {
    this.#state.swallows = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
