/** A client of the control socket that sends what the test says, well formed or not. */
import { connect, type Socket } from 'node:net';
import { createInterface, type Interface } from 'node:readline';

// biome-ignore lint/suspicious/noExplicitAny: an answer of the program under test; tests look into it as they need
type Answer = any;

export class ControlClient {
  readonly socket: Socket;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  constructor(path: string) {
    this.socket = connect(path);
    this.#reader = createInterface({ input: this.socket });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  send(request: object | string): void {
    this.socket.write(typeof request === 'string' ? request : `${JSON.stringify({ v: 1, ...request })}\n`);
  }

  /** The next line, or null when the other side has closed. */
  async next(): Promise<Answer> {
    const line = await this.#lines.next();
    return line.done ? null : JSON.parse(line.value);
  }

  /** Sends a request and answers its last line; the events before it are in `events`. */
  async ask(request: object): Promise<{ answer: Answer; events: string[] }> {
    this.send({ id: 1, ...request });
    const events: string[] = [];
    for (;;) {
      const line = await this.next();
      if (line?.event === undefined) return { answer: line, events };
      events.push(line.event.text);
    }
  }

  close(): void {
    this.#reader.close();
    this.socket.destroy();
  }
}
