/** One thing that keys demand of each other, or an environment of them: which keys it is about, and how to find out. */
import type { ConfigFault } from './config-fault.js';

export interface ConfigRule {
  /** The key that is at fault, then those the rule looks at too. */
  readonly keys: readonly [string, ...string[]];
  readonly find: () => Finding | null | Promise<Finding | null>;
}

export type Finding = Pick<ConfigFault, 'problem' | 'expected'>;
