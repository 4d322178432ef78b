/** What nobody caught is a bug of ours: it is logged with its stack, and the process ends loudly instead of going on crooked. */
import { errorText } from '../../shared/base/errors.js';
import type { Log } from '../log/log.js';

/** EX_SOFTWARE of sysexits.h. */
export const EXIT_FAULT = 70;

/**
 * Answers how to stop listening.
 * @param log asked for at the moment of the fault: a process knows its name only some time after it began.
 */
export function exitOnFault(log: () => Log): () => void {
  const end = (what: string) => (error: unknown) => {
    log().error('process.fault', {
      what,
      error: errorText(error),
      stack: error instanceof Error ? error.stack : undefined,
    });
    process.exit(EXIT_FAULT);
  };
  const onException = end('uncaught exception');
  const onRejection = end('unhandled rejection');
  process.on('uncaughtException', onException).on('unhandledRejection', onRejection);
  return () => {
    process.off('uncaughtException', onException).off('unhandledRejection', onRejection);
  };
}
