/**
 * `Data/{mode}.crontab.json`: what the scheduler must not forget. It is replaced as a whole after each change; changes
 * that come while it is written share the next writing. What cannot be written is a trouble, and is tried again by itself.
 * A file that cannot be used is set aside, and the jobs start afresh: better than no jobs.
 */
import { join } from 'node:path';
import * as z from 'zod';
import type { Paths } from '../platform/config/config-schema.js';
import type { Troubles } from '../platform/health/troubles.js';
import { readIfThere, replaceFile, setAside, whatIsWrong } from '../platform/instance/atomic-files.js';
import type { Log } from '../platform/log/log.js';
import type { Clock } from '../shared/base/clock.js';
import { errorText } from '../shared/base/errors.js';
import { type JobRecords, jobRecordSchema } from './job-record.js';

const VERSION = 1;
const stateSchema = z.object({ version: z.literal(VERSION), jobs: z.record(z.string(), jobRecordSchema) });
export const TRY_AGAIN_MS = 5000;

export function crontabStateFile({ data }: Pick<Paths, 'data'>, mode: string): string {
  return join(data, `${mode}.crontab.json`);
}

export interface StateFileDeps {
  readonly troubles: Pick<Troubles, 'begin' | 'end'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
}

export class StateFile {
  readonly #file: string;
  readonly #deps: StateFileDeps;
  #newest: JobRecords = {};
  #writing: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #again: NodeJS.Timeout | null = null;

  constructor(file: string, deps: StateFileDeps) {
    this.#file = file;
    this.#deps = deps;
  }

  /** What was kept; empty when there is nothing that can be used. */
  async load(): Promise<JobRecords> {
    let text: string | null = null;
    try {
      text = await readIfThere(this.#file);
      if (text === null) return {};
      return stateSchema.parse(JSON.parse(text)).jobs;
    } catch (error) {
      const reason = error instanceof z.ZodError ? z.prettifyError(error) : error;
      await this.#setAside(text === null ? errorText(error) : whatIsWrong(text, reason));
      return {};
    }
  }

  /** Resolves when these records, or newer ones, are on the disk. Rejects when that failed; it is tried again all the same. */
  keep(records: JobRecords): Promise<void> {
    this.#newest = records;
    if (this.#next) return this.#next;
    if (this.#writing === null) return this.#write();
    this.#next = this.#writing
      // Whoever waited for that writing has been told; this one is for those who came later.
      .catch(() => {})
      .then(() => {
        this.#next = null;
        return this.#write();
      });
    return this.#next;
  }

  #write(): Promise<void> {
    const text = `${JSON.stringify({ version: VERSION, jobs: this.#newest }, null, 2)}\n`;
    this.#writing = this.#replace(text).finally(() => {
      this.#writing = null;
    });
    return this.#writing;
  }

  async #replace(text: string): Promise<void> {
    const { troubles } = this.#deps;
    try {
      await replaceFile(this.#file, text);
      troubles.end('crontabState');
    } catch (error) {
      const what = `${this.#file} cannot be written: ${errorText(error)}`;
      troubles.begin('crontabState', `${what}. A restart of the CrontabScheduler would forget what changed`);
      this.#tryAgain();
      throw error;
    }
  }

  #tryAgain(): void {
    if (this.#again !== null) return;
    this.#again = setTimeout(() => {
      this.#again = null;
      // What goes wrong then is told as a trouble.
      this.keep(this.#newest).catch(() => {});
    }, TRY_AGAIN_MS);
    this.#again.unref();
  }

  async #setAside(reason: string): Promise<void> {
    const { clock, log } = this.#deps;
    const fields = { file: this.#file, reason };
    try {
      log.warn('crontab.stateDamaged', { ...fields, movedTo: await setAside(this.#file, clock.now()) });
    } catch (error) {
      log.warn('crontab.stateDamaged', { ...fields, notMoved: errorText(error) });
    }
  }
}
