/** Callers that keep their connections: each makes one call after the other, busily or with pauses, and notes every failure. */
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** What they call. */
export const CALLERS_PATH = '/api/comment/message';

export interface CallersOptions {
  readonly port: number;
  readonly callers: number;
  /** Milliseconds between two calls of one caller, at most; chosen anew each time. */
  readonly pauseMs: number;
  readonly headers?: (body: string) => Record<string, string>;
  /** 0 … 1 */
  readonly random: () => number;
}

export class Callers {
  answered = 0;
  /** Answers on a connection that had carried a call before. */
  reused = 0;
  readonly failures: string[] = [];
  readonly #agent: Agent;
  readonly #options: CallersOptions;
  #going = true;
  readonly #done: Promise<unknown>;

  constructor(options: CallersOptions) {
    this.#options = options;
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: options.callers,
      maxFreeSockets: options.callers,
    });
    this.#done = Promise.all(Array.from({ length: options.callers }, () => this.#run()));
  }

  /** No more calls; resolves when the last has ended. */
  async stop(): Promise<void> {
    this.#going = false;
    await this.#done;
    this.#agent.destroy();
  }

  async #run(): Promise<void> {
    const { pauseMs, random } = this.#options;
    while (this.#going) {
      const begun = new Date().toISOString();
      try {
        const { status, text } = await this.#call();
        this.answered += 1;
        if (status !== 200) this.failures.push(`${begun} ${status} ${text.slice(0, 200)}`);
      } catch (error) {
        this.failures.push(`${begun} ${String(error)}`);
      }
      await sleep(random() * pauseMs);
    }
  }

  #call(): Promise<{ status: number; text: string }> {
    const body = JSON.stringify({ uid: 900_000_001, title: 'kept', deliver: 'cron' });
    return new Promise((resolve, reject) => {
      const call = request({
        port: this.#options.port,
        host: '127.0.0.1',
        agent: this.#agent,
        path: CALLERS_PATH,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          ...this.#options.headers?.(body),
        },
      });
      call.on('error', reject);
      call.on('response', (answer) => {
        if (call.reusedSocket) this.reused += 1;
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (part: string) => {
          text += part;
        });
        answer.on('error', reject);
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
      });
      call.end(body);
    });
  }
}
