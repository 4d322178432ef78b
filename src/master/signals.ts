/**
 * What the master does about signals. SIGTERM and SIGINT: a stop in order; a second SIGINT: at once. SIGHUP: Workers read
 * their certificates again, unless a terminal is attached: then it says that the terminal has gone, which is a stop.
 * SIGUSR1 and SIGUSR2: every process opens the log file anew (after logrotate has moved it).
 */
import type { Log } from '../platform/log/log.js';
import type { NodeStop } from './supervisor/node-stop.js';

export interface SignalsDeps {
  readonly stop: Pick<NodeStop, 'stop' | 'hurry' | 'isUnderWay'>;
  readonly workers: () => readonly {
    readonly peer: { note(name: 'tls.reload', args: Record<string, never>): void };
  }[];
  /** `process`. */
  readonly signals: Pick<NodeJS.EventEmitter, 'on' | 'off'>;
  /** A terminal is attached. */
  readonly terminal: boolean;
  /** Every process opens the log file anew. */
  readonly reopenLogs: () => void;
  readonly log: Log;
}

/** Answers how to stop listening. */
export function onSignals({ stop, workers, signals, terminal, reopenLogs, log }: SignalsDeps): () => void {
  const begin = (reason: string): void => {
    stop.stop(reason).catch((error: unknown) => {
      // Whoever waits for the stop gets the same error and reports it; here it only must not be unheard.
      log.debug('stop.failed', { reason, error: String(error) });
    });
  };
  const onTerm = (): void => begin('SIGTERM');
  const onInt = (): void => {
    if (stop.isUnderWay) stop.hurry('second SIGINT');
    else begin('SIGINT');
  };
  const onHup = (): void => {
    if (terminal) {
      begin('the terminal was closed');
      return;
    }
    log.info('tls.reload', { workers: workers().length });
    for (const { peer } of workers()) peer.note('tls.reload', {});
  };
  const onUsr = (): void => {
    reopenLogs();
    log.info('log.reopened');
  };
  signals.on('SIGTERM', onTerm).on('SIGINT', onInt).on('SIGHUP', onHup);
  signals.on('SIGUSR1', onUsr).on('SIGUSR2', onUsr);
  return () => {
    signals.off('SIGTERM', onTerm).off('SIGINT', onInt).off('SIGHUP', onHup);
    signals.off('SIGUSR1', onUsr).off('SIGUSR2', onUsr);
  };
}
