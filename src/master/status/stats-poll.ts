/** Asks the children for their counts: every few seconds, so that little is lost with one that is killed, and on demand. */
import type { Log } from '../../platform/log/log.js';
import type { Peer } from '../../platform/rpc/peer.js';
import { errorText } from '../../shared/base/errors.js';
import type { ToChild, ToMaster } from '../../shared/protocol/ipc.js';
import type { Totals } from './totals.js';

export const STATS_EVERY_MS = 2000;
const STATS_DEADLINE_MS = 1000;

export interface CountingChild {
  readonly name: string;
  readonly peer: Pick<Peer<ToMaster, ToChild>, 'call'>;
}

export interface StatsPollDeps<C extends CountingChild> {
  readonly children: () => readonly C[];
  /** A child may end while its answer is on the way; then its counts are in the past already. */
  readonly isLiving: (child: C) => boolean;
  readonly totals: Totals<C>;
  readonly log: Log;
}

export class StatsPoll<C extends CountingChild> {
  readonly #deps: StatsPollDeps<C>;
  #timer: NodeJS.Timeout | null = null;

  constructor(deps: StatsPollDeps<C>) {
    this.#deps = deps;
  }

  start(): void {
    this.#timer = setTimeout(async () => {
      await this.now();
      if (this.#timer) this.start();
    }, STATS_EVERY_MS);
  }

  stop(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** Resolves when every child has answered, or has had the time to. */
  async now(): Promise<void> {
    const { children, isLiving, totals, log } = this.#deps;
    await Promise.all(
      children().map(async (child) => {
        try {
          const stats = await child.peer.call('stats', {}, { deadlineMs: STATS_DEADLINE_MS });
          if (isLiving(child)) totals.learn(child, stats);
        } catch (error) {
          log.debug('stats.silent', { child: child.name, error: errorText(error) });
        }
      }),
    );
  }
}
