/** A main site that answers as the test says, and counts how many calls it has at a time. */
import { createServer, type Server, type ServerResponse } from 'node:http';

export interface GzcpCall {
  readonly timestamp: string;
  readonly loginkey: string;
  readonly token: string;
}

export class FakeGzcp {
  readonly calls: GzcpCall[] = [];
  running = 0;
  mostRunning = 0;
  #answer: (call: GzcpCall, res: ServerResponse) => void;
  readonly #server: Server;

  constructor(answer: (call: GzcpCall, res: ServerResponse) => void) {
    this.#answer = answer;
    this.#server = createServer((req, res) => {
      const query = new URL(req.url ?? '', 'http://gzcp').searchParams;
      const call = {
        timestamp: query.get('timestamp') ?? '',
        loginkey: query.get('loginkey') ?? '',
        token: query.get('token') ?? '',
      };
      this.calls.push(call);
      this.running += 1;
      this.mostRunning = Math.max(this.mostRunning, this.running);
      res.once('close', () => {
        this.running -= 1;
      });
      this.#answer(call, res);
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return `http://127.0.0.1:${address.port}/login/pushMsgLogin`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export function answerJson(res: ServerResponse, body: unknown, status = 200): void {
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(typeof body === 'string' ? body : JSON.stringify(body));
}
