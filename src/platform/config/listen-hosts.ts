/** Where a server listens: on the machine itself in PUSHENV 0, where whoever reaches it may do everything. */
import type { Config } from './config-schema.js';

export interface ListenHosts {
  readonly host: string;
  /** Listened on too, where the machine has them. */
  readonly also: readonly string[];
  /** Nobody has said where, and PUSHENV 0 keeps it to this machine. */
  readonly isLocalByDefault: boolean;
}

export function listenHosts({ env, system: { Host } }: Pick<Config, 'env' | 'system'>): ListenHosts {
  if (Host !== null) return { host: Host, also: [], isLocalByDefault: false };
  if (env !== 0) return { host: '0.0.0.0', also: [], isLocalByDefault: false };
  return { host: '127.0.0.1', also: ['::1'], isLocalByDefault: true };
}
