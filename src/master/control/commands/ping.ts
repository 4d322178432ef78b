/** `ping`: the master is there and answers; how it was started, for a restart that keeps it; how long its work may take. */
import type { Config } from '../../../platform/config/config-schema.js';
import type { Environment } from '../../../shared/protocol/environment.js';
import type { ControlHandler } from '../control-handlers.js';

export interface PingDeps {
  readonly mode: string;
  readonly settings: Readonly<Record<string, string>>;
  /** It was started with -d. */
  readonly background: boolean;
  readonly environment: Environment;
  /** As it is now. */
  readonly config: () => Config;
}

export function ping({ settings, config, ...told }: PingDeps): ControlHandler<'ping'> {
  return async () => {
    const { StopSeconds, TaskSeconds } = config().system;
    return {
      pid: process.pid,
      settings: { ...settings },
      seconds: { StopSeconds, TaskSeconds },
      ...told,
    };
  };
}
