/**
 * Notices through the program systemd-notify: the socket takes datagrams on a Unix socket, which Node cannot send.
 * One call at a time, so that they arrive in order; the program waits until systemd has read the notice, so none is lost
 * because its sender has ended before systemd looked who it was.
 *
 * A notice that does not get through is a trouble: what is so at that moment is told again every few seconds until it does,
 * because a systemd that never hears READY=1 ends the service.
 */
import { execa } from 'execa';
import { type Clock, momentMs } from '../../shared/base/clock.js';
import { errorText } from '../../shared/base/errors.js';
import { systemClock } from '../clock/system-clock.js';
import type { ServiceManager } from '../config/service-manager.js';
import type { Troubles } from '../health/troubles.js';
import type { Log } from '../log/log.js';
import { type Notifier, silentNotifier, type Vitals } from './notifier.js';

/** A systemd that is stopped or overloaded must not leave programs hanging around. */
const CALL_DEADLINE_MS = 10_000;
/** With one call at a time, more than this waiting means that none gets through. */
const WAITING_MAX = 16;
export const TRY_AGAIN_MS = 5000;

/** Runs the program with these words; rejects when it fails. */
export type SendNotice = (assignments: readonly string[]) => Promise<unknown>;

export interface SystemdNotifierDeps {
  readonly send: SendNotice;
  readonly watchdogMs: number | null;
  readonly troubles: Pick<Troubles, 'begin' | 'end'>;
  readonly log: Log;
  /** Has to be the machine's, which systemd reads too. */
  readonly clock?: Pick<Clock, 'moment'>;
}

export function createNotifier(
  manager: ServiceManager | null,
  { troubles, log }: Pick<SystemdNotifierDeps, 'troubles' | 'log'>,
): Notifier {
  if (manager === null) return silentNotifier;
  const { notifySocket, watchdogMs } = manager;
  return new SystemdNotifier({
    send: systemdNotify('systemd-notify', notifySocket),
    watchdogMs,
    troubles,
    log,
  });
}

/** @param program its name or path. */
export function systemdNotify(program: string, notifySocket: string): SendNotice {
  return (assignments) =>
    execa(program, [...assignments], {
      env: { NOTIFY_SOCKET: notifySocket },
      // It needs no folder, and that of this process may have been removed: then nothing could be started in it.
      cwd: '/',
      timeout: CALL_DEADLINE_MS,
      killSignal: 'SIGKILL',
      stdin: 'ignore',
    });
}

export class SystemdNotifier implements Notifier {
  readonly #deps: SystemdNotifierDeps;
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;
  /** What is so now, and was not told yet because that failed; a later notice takes its place. */
  #untold: readonly string[] | null = null;
  #again: NodeJS.Timeout | null = null;
  #watchdog: NodeJS.Timeout | null = null;
  #vitals: (() => Vitals) | null = null;
  #isBeating = false;
  #isWithheld = false;

  constructor(deps: SystemdNotifierDeps) {
    this.#deps = deps;
  }

  ready(): void {
    this.#tell(['READY=1', ...this.#status('ready')]);
  }

  reloading(): void {
    const { clock = systemClock } = this.#deps;
    // Newer versions want the time, by CLOCK_MONOTONIC, to tell this reload from an earlier one.
    const microseconds = Math.floor(momentMs(clock.moment()) * 1000);
    this.#tell(['RELOADING=1', `MONOTONIC_USEC=${microseconds}`, 'STATUS=reloading']);
  }

  stopping(): void {
    this.#tell(['STOPPING=1', 'STATUS=stopping']);
  }

  startWatchdog(vitals: () => Vitals): void {
    this.stopWatchdog();
    this.#vitals = vitals;
    const { watchdogMs } = this.#deps;
    if (watchdogMs === null) return;
    this.#watchdog = setInterval(() => void this.#beat(vitals), watchdogMs / 2);
    void this.#beat(vitals);
  }

  stopWatchdog(): void {
    if (this.#watchdog) clearInterval(this.#watchdog);
    this.#watchdog = null;
    this.#vitals = null;
  }

  async close(): Promise<void> {
    this.stopWatchdog();
    await this.#last;
    if (this.#again) clearTimeout(this.#again);
    this.#again = null;
  }

  async #beat(vitals: () => Vitals): Promise<void> {
    const { healthy, status } = vitals();
    if (healthy === this.#isWithheld) {
      this.#isWithheld = !healthy;
      const { log, watchdogMs } = this.#deps;
      if (healthy) log.info('watchdog.again', { status });
      else log.error('watchdog.withheld', { status, watchdogMs });
    }
    if (!healthy || this.#isBeating) return;
    this.#isBeating = true;
    await this.#tell(['WATCHDOG=1', `STATUS=${status}`]);
    this.#isBeating = false;
  }

  #status(otherwise: string): string[] {
    return [`STATUS=${this.#vitals?.().status ?? otherwise}`];
  }

  #tell(assignments: readonly string[]): Promise<void> {
    if (this.#waiting >= WAITING_MAX) {
      if (isState(assignments)) this.#untold = assignments;
      return this.#last;
    }
    this.#waiting += 1;
    this.#last = this.#last.then(() => this.#send(assignments));
    return this.#last;
  }

  async #send(assignments: readonly string[]): Promise<void> {
    this.#waiting -= 1;
    const { send, troubles } = this.#deps;
    try {
      await send(assignments);
      if (this.#untold === null || this.#untold === assignments) {
        this.#untold = null;
        troubles.end('notify');
      } else this.#tellAgain();
    } catch (error) {
      if (isState(assignments)) this.#untold = assignments;
      const hint = isMissingProgram(error) ? '; the program systemd-notify is not in PATH' : '';
      troubles.begin('notify', `systemd could not be told ${assignments[0]}: ${errorText(error)}${hint}`);
      this.#tellAgain();
    }
  }

  #tellAgain(): void {
    if (this.#again !== null) return;
    this.#again = setTimeout(() => {
      this.#again = null;
      if (this.#untold !== null) void this.#tell(this.#untold);
    }, TRY_AGAIN_MS);
    this.#again.unref();
  }
}

/** A sign of life is of its moment: the next one comes by itself. */
function isState(assignments: readonly string[]): boolean {
  return !assignments.includes('WATCHDOG=1');
}

function isMissingProgram(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
