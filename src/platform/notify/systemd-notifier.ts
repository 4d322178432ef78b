/**
 * Notices through the program systemd-notify: the socket takes datagrams on a Unix socket, which Node cannot send.
 * One call at a time, so that they arrive in order; the program waits until systemd has read the notice, so none is lost
 * because its sender has ended before systemd looked who it was.
 *
 * A call that fails is logged once in the life of the process. Where the program is missing, no further call is tried.
 */
import { execa } from 'execa';
import { type Clock, momentMs } from '../../shared/base/clock.js';
import { errorText } from '../../shared/base/errors.js';
import { systemClock } from '../clock/system-clock.js';
import type { ServiceManager } from '../config/service-manager.js';
import type { Log } from '../log/log.js';
import { type Notifier, silentNotifier, type Vitals } from './notifier.js';

/** A systemd that is stopped or overloaded must not leave programs hanging around. */
const CALL_DEADLINE_MS = 10_000;
/** With one call at a time, more than this waiting means that none gets through. */
const WAITING_MAX = 16;

/** Runs the program with these words; rejects when it fails. */
export type SendNotice = (assignments: readonly string[]) => Promise<unknown>;

export interface SystemdNotifierDeps {
  readonly send: SendNotice;
  readonly watchdogMs: number | null;
  readonly log: Log;
  /** Has to be the machine's, which systemd reads too. */
  readonly clock?: Pick<Clock, 'moment'>;
}

export function createNotifier(manager: ServiceManager | null, log: Log): Notifier {
  if (manager === null) return silentNotifier;
  const { notifySocket, watchdogMs } = manager;
  return new SystemdNotifier({ send: systemdNotify('systemd-notify', notifySocket), watchdogMs, log });
}

/** @param program its name or path. */
export function systemdNotify(program: string, notifySocket: string): SendNotice {
  return (assignments) =>
    execa(program, [...assignments], {
      env: { NOTIFY_SOCKET: notifySocket },
      timeout: CALL_DEADLINE_MS,
      killSignal: 'SIGKILL',
      stdin: 'ignore',
    });
}

export class SystemdNotifier implements Notifier {
  readonly #deps: SystemdNotifierDeps;
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;
  #hasFailed = false;
  #isMissing = false;
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
    if (this.#isMissing || this.#waiting >= WAITING_MAX) return this.#last;
    this.#waiting += 1;
    this.#last = this.#last.then(() => this.#send(assignments));
    return this.#last;
  }

  async #send(assignments: readonly string[]): Promise<void> {
    this.#waiting -= 1;
    if (this.#isMissing) return;
    try {
      await this.#deps.send(assignments);
    } catch (error) {
      this.#isMissing = isMissingProgram(error);
      if (this.#hasFailed) return;
      this.#hasFailed = true;
      this.#deps.log.warn('notify.failed', {
        notice: assignments[0],
        error: errorText(error),
        hint: this.#isMissing ? 'the program systemd-notify is not in PATH' : undefined,
      });
    }
  }
}

function isMissingProgram(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
