/**
 * Tells processes that were cut off of the kicks that they have missed. There may be 20,000 of a kilobyte each, and every process
 * that knows them tells them, so they are told in pieces with a round trip to Redis between two: Redis cuts off a subscriber
 * for which too much waits, and that would begin anew when it is back.
 */

import type { Moment } from '../../../shared/base/clock.js';
import { errorText } from '../../../shared/base/errors.js';
import type { Log } from '../../log/log.js';
import type { BusWord } from './bus-message.js';
import type { MissedKicks } from './missed-kicks.js';

/** Characters, about bytes. */
export const PIECE_CHARS = 256 * 1024;

export interface KickTellerDeps {
  readonly kicks: Pick<MissedKicks, 'since'>;
  /** Returns false when the server of the channel is not reached. */
  readonly say: (channel: string, word: BusWord) => boolean;
  /** Resolves when the server of the channel has what was said; rejects when it is lost. */
  readonly said: (channel: string) => Promise<unknown>;
  readonly log: Pick<Log, 'info' | 'warn'>;
}

export class KickTeller {
  readonly #deps: KickTellerDeps;
  #last: Promise<void> = Promise.resolve();

  constructor(deps: KickTellerDeps) {
    this.#deps = deps;
  }

  /**
   * Tells those made since `moment`. One telling at a time, in the order in which they are asked for. Never rejects.
   *
   * @param asker only those that this process asked for; null: all
   */
  tell(channel: string, moment: Moment, asker: string | null): Promise<void> {
    this.#last = this.#last.then(() => this.#tell(channel, moment, asker));
    return this.#last;
  }

  /** A server that is lost ends the telling: processes that missed it say so when they hear again, and are told all of it. */
  async #tell(channel: string, moment: Moment, asker: string | null): Promise<void> {
    const { kicks, say, said, log } = this.#deps;
    const missed = kicks.since(moment, asker);
    if (missed.length === 0) return;
    log.info('bus.kicksAgain', { kicks: missed.length });
    let chars = 0;
    try {
      for (const { id, args } of missed) {
        if (chars >= PIECE_CHARS) {
          await said(channel);
          chars = 0;
        }
        if (!say(channel, { t: 'ask', id, question: 'kick', args })) return;
        chars += JSON.stringify(args).length;
      }
    } catch (error) {
      log.warn('bus.kicksAgainCut', { error: errorText(error) });
    }
  }
}
