/**
 * Nonces of signed calls, good once on all nodes: SET NX for two tolerances, which Redis counts by its own clock, so that
 * the clocks of nodes are no matter. It throws when Redis does not answer in time; the caller then goes by what its own
 * node knows (`claimOnce`).
 */
import type { Clock } from '../../../shared/base/clock.js';
import { errorText, SpushError } from '../../../shared/base/errors.js';
import { TOLERANCE_SECONDS } from '../../auth/signature.js';
import type { Log } from '../../log/log.js';
import { seldomLog } from '../../log/seldom-log.js';
import type { RedisBus } from './redis-bus.js';
import { within } from './redis-link.js';

const CLAIM_DEADLINE_MS = 1000;
/** From the earliest acceptance of a call to the last one, and a second for whole seconds. */
const KEPT_MS = 2 * TOLERANCE_SECONDS * 1000 + 1000;

/** True when the nonce was not used before; it is now. `timestamp`: of the call, Unix seconds. */
export interface NonceClaims {
  claim(scope: string, nonce: string, timestamp: number): Promise<boolean>;
}

export class RedisNonces implements NonceClaims {
  readonly #bus: Pick<RedisBus, 'linkFor' | 'nonceKey'>;

  constructor(bus: Pick<RedisBus, 'linkFor' | 'nonceKey'>) {
    this.#bus = bus;
  }

  async claim(scope: string, nonce: string): Promise<boolean> {
    const name = this.#bus.nonceKey(scope, nonce);
    const link = this.#bus.linkFor(name);
    if (!link)
      throw new SpushError('RPC_PEER_GONE', 'Redis is not reached, so other nodes’ nonces are not known');
    const set = link.client.set(name, '1', 'PX', KEPT_MS, 'NX');
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
    async claim(scope, nonce, timestamp) {
      if (!(await own.claim(scope, nonce, timestamp))) return false;
      try {
        return await all.claim(scope, nonce, timestamp);
      } catch (error) {
        log.warn('nonce.ownNodeOnly', { error: errorText(error) });
        return true;
      }
    },
  };
}
