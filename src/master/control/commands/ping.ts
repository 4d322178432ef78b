/** `ping`: the master is there and answers; how it was started, for a restart that keeps it. */
import type { ControlHandler } from '../control-handlers.js';

export interface PingDeps {
  readonly mode: string;
  readonly settings: Readonly<Record<string, string>>;
  /** It was started with -d. */
  readonly background: boolean;
}

export function ping({ mode, settings, background }: PingDeps): ControlHandler<'ping'> {
  return async () => ({ pid: process.pid, mode, settings: { ...settings }, background });
}
