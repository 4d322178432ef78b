/**
 * Clients that come and go without end, more than there are free places, and count how many of them are open at once.
 */
import { RefusedError, WsClient } from './ws-client.js';

export interface StormResult {
  readonly opened: number;
  /** 503: no place. */
  readonly refused: number;
  /** Most that were open at one moment. A client counts until it has begun to close. */
  readonly openMax: number;
  /** Refused in another way, or broken before they were open. */
  readonly broken: readonly string[];
  /** Closed by the server after they were open. */
  readonly closed: readonly string[];
}

/** How long one that was let in stays, ms. */
const STAY_MS = 100;
/** Of one that was refused, before it tries again. */
const PAUSE_MS = 20;

export class LinkStorm {
  readonly #url: string;
  readonly #lanes: Promise<void>[];
  #stopped = false;
  #open = 0;
  #opened = 0;
  #refused = 0;
  #openMax = 0;
  readonly #broken: string[] = [];
  readonly #closed: string[] = [];

  constructor(url: string, lanes: number) {
    this.#url = url;
    this.#lanes = Array.from({ length: lanes }, () => this.#comeAndGo());
  }

  /** Resolves when all have gone. */
  async stop(): Promise<StormResult> {
    this.#stopped = true;
    await Promise.all(this.#lanes);
    return {
      opened: this.#opened,
      refused: this.#refused,
      openMax: this.#openMax,
      broken: this.#broken,
      closed: this.#closed,
    };
  }

  async #comeAndGo(): Promise<void> {
    while (!this.#stopped) {
      try {
        const client = await WsClient.connect(this.#url);
        this.#opened += 1;
        this.#open += 1;
        this.#openMax = Math.max(this.#openMax, this.#open);
        await new Promise((resolve) => setTimeout(resolve, STAY_MS));
        this.#open -= 1;
        if (client.closed) this.#closed.push(`${client.closed.code} ${client.closed.reason}`);
        await client.close();
      } catch (error) {
        if (error instanceof RefusedError && error.status === 503) this.#refused += 1;
        else this.#broken.push(error instanceof Error ? error.message : String(error));
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    }
  }
}

/** Rounds in a row that nobody is let in: then it is full. Places that another Worker keeps idle come back within a moment. */
const FULL_ROUNDS = 4;
const ROUND_MS = 150;

/** Takes free places, `max` at most, until there are none; answers how many, and lets them go again. */
export async function countFreePlaces(url: string, max: number): Promise<number> {
  const open: WsClient[] = [];
  try {
    for (let full = 0; full < FULL_ROUNDS && open.length < max; ) {
      const tries = Array.from({ length: max - open.length }, () => WsClient.connect(url));
      let letIn = 0;
      for (const result of await Promise.allSettled(tries)) {
        if (result.status === 'fulfilled') {
          open.push(result.value);
          letIn += 1;
        } else if (!(result.reason instanceof RefusedError && result.reason.status === 503))
          throw result.reason;
      }
      full = letIn > 0 ? 0 : full + 1;
      await new Promise((resolve) => setTimeout(resolve, ROUND_MS));
    }
    return open.length;
  } finally {
    await Promise.all(open.map((client) => client.close()));
  }
}
