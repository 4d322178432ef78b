/** `log.reopen`: every process opens the log file anew; for logrotate, which has moved it away. */
import type { ControlHandler } from '../control-handlers.js';

/** @param reopenLogs answers how many processes were told. */
export function logReopen(reopenLogs: () => number): ControlHandler<'log.reopen'> {
  return async () => ({ processes: reopenLogs() });
}
