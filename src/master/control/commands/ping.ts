/** `ping`: the master is there and answers; what its start was given on the command line, for a restart that keeps it. */
import type { ControlHandler } from '../control-handlers.js';

export function ping(mode: string, settings: Readonly<Record<string, string>> = {}): ControlHandler<'ping'> {
  return async () => ({ pid: process.pid, mode, settings: { ...settings } });
}
