/**
 * Nonces of signed calls, good once on all nodes: SET NX with the time at which a call expires anyway. It throws when
 * Redis does not answer in time; the caller then goes by what its own node knows (`claimOnce`).
 */
import type { Clock } from '../../../shared/base/clock.js';
import { errorText, SpushError } from '../../../shared/base/errors.js';
import type { Log } from '../../log/log.js';
import { seldomLog } from '../../log/seldom-log.js';
import type { RedisBus } from './redis-bus.js';
import { within } from './redis-link.js';

const CLAIM_DEADLINE_MS = 1000;

/** True when the nonce was not used before; it is now. */
export interface NonceClaims {
  claim(key: string, nonce: string, expiresAt: number): Promise<boolean>;
}

export class RedisNonces implements NonceClaims {
  readonly #bus: Pick<RedisBus, 'linkFor' | 'nonceKey'>;
  readonly #clock: Clock;

  constructor(bus: Pick<RedisBus, 'linkFor' | 'nonceKey'>, clock: Clock) {
    this.#bus = bus;
    this.#clock = clock;
  }

  async claim(key: string, nonce: string, expiresAt: number): Promise<boolean> {
    const name = this.#bus.nonceKey(key, nonce);
    const link = this.#bus.linkFor(name);
    if (!link)
      throw new SpushError('RPC_PEER_GONE', 'Redis is not reached, so other nodes’ nonces are not known');
    const ms = Math.max(1, Math.ceil(expiresAt - this.#clock.now()));
    const set = link.client.set(name, '1', 'PX', ms, 'NX');
    return (await within(CLAIM_DEADLINE_MS, set, 'Redis did not remember a nonce')) === 'OK';
  }
}

/**
 * The own node is always asked, so that a nonce that was used while Redis was away is still refused here afterwards. When
 * Redis is away the own node's word counts: a call could then be repeated once at another node, within its two minutes.
 */
export function claimOnce(own: NonceClaims, all: NonceClaims, deps: { log: Log; clock: Clock }): NonceClaims {
  const log = seldomLog(deps.log, deps.clock);
  return {
    async claim(key, nonce, expiresAt) {
      if (!(await own.claim(key, nonce, expiresAt))) return false;
      try {
        return await all.claim(key, nonce, expiresAt);
      } catch (error) {
        log.warn('nonce.ownNodeOnly', { error: errorText(error) });
        return true;
      }
    },
  };
}
