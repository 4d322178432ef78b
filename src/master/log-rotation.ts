/**
 * One log file of all processes, rotated by the master alone: by day and by size. The file is moved away under a name with
 * its day and a number, every process is told to open it anew, and what is older than the configured days is deleted.
 * What of that cannot be done is a trouble, and tried again.
 */
import { readdirSync, renameSync, statSync, unlinkSync } from 'node:fs';
import path from 'node:path';
import type { Troubles } from '../platform/health/troubles.js';
import type { Log } from '../platform/log/log.js';
import type { Clock } from '../shared/base/clock.js';
import { errorText } from '../shared/base/errors.js';

const CHECK_MS = 5000;
const DAY_MS = 86_400_000;

export interface LogRotationOptions {
  readonly file: string;
  readonly limits: () => { readonly bytesMax: number; readonly keepDays: number };
  /** Every process opens the file anew. */
  readonly reopenAll: () => void;
  readonly troubles: Pick<Troubles, 'begin' | 'end'>;
  readonly clock: Clock;
  readonly log: Log;
}

export class LogRotation {
  readonly #options: LogRotationOptions;
  #timer: NodeJS.Timeout | null = null;
  /** Old ones are still to be deleted. */
  #isToForget = false;
  /** Of the lines in the file; null: not looked at yet. */
  #day: string | null = null;

  constructor(options: LogRotationOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => this.check(), CHECK_MS);
    this.#timer.unref();
    this.check();
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
  }

  check(): void {
    const { file, limits, clock, troubles } = this.#options;
    try {
      const found = statSync(file, { throwIfNoEntry: false });
      if (!found?.isFile()) {
        // Deleted or replaced: each process reopens its log, and reports a trouble where that fails.
        this.#options.reopenAll();
        return;
      }
      const { size, mtimeMs } = found;
      const today = dayOf(clock.now());
      this.#day ??= size > 0 ? dayOf(mtimeMs) : today;
      if (size > 0 && (size >= limits().bytesMax || this.#day !== today)) this.#rotate(this.#day);
      this.#day = today;
      if (this.#isToForget) this.#forget();
      this.#isToForget = false;
      troubles.end('logRotation');
    } catch (error) {
      troubles.begin('logRotation', `${file} cannot be rotated: ${errorText(error)}. Look at its folder`);
    }
  }

  #rotate(day: string): void {
    const { file, reopenAll, log } = this.#options;
    const to = freeName(file, day);
    renameSync(file, to);
    reopenAll();
    log.info('log.rotated', { to });
    this.#isToForget = true;
  }

  #forget(): void {
    const { file, limits, clock } = this.#options;
    const { dir, pattern } = rotatedNames(file);
    const oldest = dayOf(clock.now() - limits().keepDays * DAY_MS);
    const faults: string[] = [];
    for (const name of readdirSync(dir)) {
      const day = pattern.exec(name)?.[1];
      if (day === undefined || day >= oldest) continue;
      try {
        unlinkSync(path.join(dir, name));
      } catch (error) {
        // One that stays is no reason for the others to stay.
        faults.push(errorText(error));
      }
    }
    if (faults.length > 0) throw new Error(`old logs cannot be deleted: ${faults.join('; ')}`);
  }
}

/** Local day, `2026-11-23`. */
function dayOf(unixMs: number): string {
  const date = new Date(unixMs);
  const two = (n: number): string => String(n).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

function freeName(file: string, day: string): string {
  const { dir, stem, pattern } = rotatedNames(file);
  const numbers = readdirSync(dir)
    .map((name) => pattern.exec(name))
    .filter((match) => match?.[1] === day)
    .map((match) => Number(match?.[2]));
  return path.join(dir, `${stem}.${day}.${Math.max(0, ...numbers) + 1}.log`);
}

function rotatedNames(file: string): { dir: string; stem: string; pattern: RegExp } {
  const stem = path.basename(file, '.log');
  const escaped = stem.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return {
    dir: path.dirname(file),
    stem,
    pattern: new RegExp(`^${escaped}\\.(\\d{4}-\\d\\d-\\d\\d)\\.(\\d+)\\.log$`),
  };
}
