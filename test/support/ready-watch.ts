/** Asks a node's /readyz again and again over new connections, so that every Worker has its turn, and keeps the answers. */
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const EVERY_MS = 100;
const ANSWER_MS = 4000;
/** So long without a red answer, and it is green. */
const STEADY_MS = 1000;

interface Look {
  readonly at: number;
  readonly green: boolean;
  readonly what: string;
}

export class ReadyWatch {
  readonly #port: number;
  readonly #looks: Look[] = [];
  #ended = false;
  readonly #running: Promise<void>;

  constructor(port: number) {
    this.#port = port;
    this.#running = this.#run();
  }

  /** Ms from a moment to the first red answer; null: none came. */
  redAfter(from: number): number | null {
    const red = this.#looks.find(({ at, green }) => at >= from && !green);
    return red ? red.at - from : null;
  }

  /** What the red answers since a moment said. */
  reasons(from: number): string[] {
    return [...new Set(this.#looks.filter(({ at, green }) => at >= from && !green).map(({ what }) => what))];
  }

  /** Ms from a moment to the first green answer that no red one follows; null: it is not steadily green. */
  greenAfter(from: number): number | null {
    const lastRed = this.#looks.findLastIndex(({ green }) => !green);
    const first = this.#looks.slice(lastRed + 1).find(({ at }) => at >= from);
    return first && performance.now() - first.at >= STEADY_MS ? first.at - from : null;
  }

  async untilGreen(from: number, waitMs: number): Promise<number | null> {
    for (const end = performance.now() + waitMs; performance.now() < end; await sleep(50)) {
      const after = this.greenAfter(from);
      if (after !== null) return after;
    }
    return null;
  }

  async close(): Promise<void> {
    this.#ended = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#ended) {
      const { status, text } = await this.#ask();
      this.#looks.push({ at: performance.now(), green: status === 200, what: text });
      await sleep(EVERY_MS);
    }
  }

  #ask(): Promise<{ status: number; text: string }> {
    return new Promise((resolve) => {
      const options = {
        host: '127.0.0.1',
        port: this.#port,
        path: '/readyz',
        agent: false,
        timeout: ANSWER_MS,
      };
      const req = request(options, (response) => {
        let text = '';
        response.on('data', (part) => {
          text += part;
        });
        response.on('error', () => resolve({ status: 0, text: 'cut off' }));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text: checksIn(text) }));
      });
      req.on('timeout', () => req.destroy(new Error('no answer')));
      req.on('error', (error) => resolve({ status: 0, text: error.message.replace(/ \S+:\d+$/, '') }));
      req.end();
    });
  }
}

function checksIn(text: string): string {
  const reasons =
    (JSON.parse(text) as { data?: { reasons?: { check: string; reason: string }[] } }).data?.reasons ?? [];
  return reasons.map(({ check, reason }) => `${check} (${reason})`).join(' + ');
}
