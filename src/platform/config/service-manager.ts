/**
 * What the service manager (systemd) tells a service in its environment, https://www.freedesktop.org/software/systemd/man/sd_notify.html.
 * Null: nobody asked to be told anything, as when spush is started by hand.
 */
export interface ServiceManager {
  /** The datagram socket that notices go to. */
  readonly notifySocket: string;
  /** A sign of life is due within this time; null: none is wanted from this process. */
  readonly watchdogMs: number | null;
}

/** @param pid of this process: a watchdog may be meant for another one that handed its environment on. */
export function readServiceManager(env: NodeJS.ProcessEnv, pid: number): ServiceManager | null {
  const notifySocket = env['NOTIFY_SOCKET'];
  if (!notifySocket) return null;
  return { notifySocket, watchdogMs: readWatchdogMs(env, pid) };
}

function readWatchdogMs(env: NodeJS.ProcessEnv, pid: number): number | null {
  const wanted = env['WATCHDOG_PID'];
  if (wanted && wanted !== String(pid)) return null;
  const microseconds = Number(env['WATCHDOG_USEC']);
  return Number.isSafeInteger(microseconds) && microseconds > 0 ? microseconds / 1000 : null;
}
