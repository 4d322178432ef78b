/**
 * Tells the service manager how the node is doing. No call waits, throws or rejects: a server must not suffer because
 * nobody can be told about it. Notices arrive in the order of the calls.
 */
export interface Vitals {
  /** False withholds the sign of life; after the watchdog's time the service manager starts the node again. */
  readonly healthy: boolean;
  /** One line for people: `systemctl status` prints it. */
  readonly status: string;
}

export interface Notifier {
  /** Everything listens; also: a reload is over. */
  ready(): void;
  /** A reload has begun; `ready` must follow, however it ends. */
  reloading(): void;
  stopping(): void;
  /** From now on a sign of life is sent at half of the time in which one is due, as long as the node is healthy. */
  startWatchdog(vitals: () => Vitals): void;
  stopWatchdog(): void;
  /** Resolves when all that was told has been sent, or has failed. */
  close(): Promise<void>;
}

/** For a node that no service manager started. */
export const silentNotifier: Notifier = {
  ready() {},
  reloading() {},
  stopping() {},
  startWatchdog() {},
  stopWatchdog() {},
  close: () => Promise.resolve(),
};
