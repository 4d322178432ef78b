/**
 * The troubles of this process: what is wrong and must not end it, because delivery does not need it. Whoever meets one
 * begins it under its name with each try that fails, goes on without, tries again by itself every few seconds, and ends it:
 *
 *     try {
 *       await replaceFile(file, text);
 *       troubles.end('crontabState');
 *     } catch (error) {
 *       troubles.begin('crontabState', `${file} cannot be written: ${errorText(error)}; make room for it`);
 *     }
 *
 * The first `begin` and the `end` after it are one line each in the log. In between the trouble is a warning in `server
 * status`, and the metrics `spush_troubles` and `spush_trouble_failures_total` count it. A new name is added to
 * TROUBLE_NAMES (shared/domain/trouble.ts) and to docs/OPERATIONS.md; nothing else is needed. Neither call throws.
 */
import type { Clock } from '../../shared/base/clock.js';
import type { Trouble, TroubleName, TroubleReport } from '../../shared/domain/trouble.js';

/** The log, as far as it is used here; the log itself may be what is in trouble. */
interface TroubleLog {
  info(event: string, fields: Readonly<Record<string, string | number>>): void;
  warn(event: string, fields: Readonly<Record<string, string | number>>): void;
}

export class Troubles {
  readonly #clock: Pick<Clock, 'now'>;
  /** By the order in which they began. */
  readonly #now = new Map<TroubleName, Trouble>();
  readonly #failures = new Map<TroubleName, number>();
  #log: TroubleLog | null = null;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  /** Where beginnings and ends are told from now on; of what began before, that it did. */
  tellIn(log: TroubleLog): void {
    this.#log = log;
    for (const { name, text } of this.report().now) log.warn('trouble.begun', { trouble: name, text });
  }

  /** A try has failed. `text` for people: what, where, why, and what to do. */
  begin(name: TroubleName, text: string, failures = 1): void {
    this.#failures.set(name, (this.#failures.get(name) ?? 0) + failures);
    const before = this.#now.get(name);
    this.#now.set(name, {
      name,
      text,
      since: before?.since ?? this.#clock.now(),
      failures: (before?.failures ?? 0) + failures,
    });
    if (!before) this.#log?.warn('trouble.begun', { trouble: name, text });
  }

  /** It is well, again or still. */
  end(name: TroubleName): void {
    const trouble = this.#now.get(name);
    if (!trouble) return;
    this.#now.delete(name);
    const { failures, since } = trouble;
    this.#log?.info('trouble.ended', { trouble: name, failures, since: new Date(since).toISOString() });
  }

  has(name: TroubleName): boolean {
    return this.#now.has(name);
  }

  report(): TroubleReport {
    return { now: [...this.#now.values()], failures: Object.fromEntries(this.#failures) };
  }
}
