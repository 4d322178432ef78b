/** Which verifier counts: the main site's, except in PUSHENV 0 without its address. There is no way to the built-in one in 1 and 2. */
import type { Clock } from '../../shared/base/clock.js';
import { SpushError } from '../../shared/base/errors.js';
import type { Config } from '../config/config-schema.js';
import type { Troubles } from '../health/troubles.js';
import type { Log } from '../log/log.js';
import { GzcpVerifier } from './gzcp-verifier.js';
import { localVerifier } from './local-verifier.js';
import { type GzcpMeter, type UserVerifier, unmetered } from './user-verifier.js';

export interface CreateVerifierOptions {
  readonly config: Pick<Config, 'env' | 'gzcp'>;
  /** Calls of this process at a time: its share of the node's, now. */
  readonly concurrency: () => number;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter?: GzcpMeter;
  readonly troubles: Pick<Troubles, 'begin' | 'end'>;
}

export function createVerifier(options: CreateVerifierOptions): UserVerifier {
  const { config, meter = unmetered } = options;
  const { verifyUrl } = config.gzcp;
  if (verifyUrl !== null)
    return new GzcpVerifier({ ...options, config: { ...config.gzcp, verifyUrl }, meter });
  if (config.env === 0) return localVerifier;
  throw new SpushError(
    'CONFIG_INVALID',
    `PUSHENV ${config.env} needs verifyUrl in conf/*/gzcp.ts (or SPUSH_GZCP_VERIFY_URL): whose key it is, only the main site can tell`,
  );
}

/** This Worker's share of the calls that the whole node may make at a time; at least one. */
export function verifierConcurrency(nodeConcurrency: number, workerNum: number): number {
  return Math.max(1, Math.floor(nodeConcurrency / workerNum));
}
