/**
 * `Data/{mode}.crontab.json`: what the scheduler must not forget. It is replaced as a whole after each change; changes
 * that come while it is written share the next writing. A file that cannot be used is moved aside, and the jobs start
 * afresh: better than no jobs.
 */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Paths } from '../platform/config/config-schema.js';
import { readIfThere, replaceFile } from '../platform/instance/atomic-files.js';
import type { Log } from '../platform/log/log.js';
import { errorText } from '../shared/base/errors.js';
import { type JobRecords, jobRecordSchema } from './job-record.js';

const VERSION = 1;
const stateSchema = z.object({ version: z.literal(VERSION), jobs: z.record(z.string(), jobRecordSchema) });

export function crontabStateFile({ data }: Pick<Paths, 'data'>, mode: string): string {
  return join(data, `${mode}.crontab.json`);
}

export class StateFile {
  readonly #file: string;
  readonly #log: Log;
  #newest: JobRecords = {};
  #writing: Promise<void> | null = null;
  #next: Promise<void> | null = null;

  constructor(file: string, log: Log) {
    this.#file = file;
    this.#log = log;
  }

  /** What was kept; empty when there is nothing that can be used. */
  async load(): Promise<JobRecords> {
    try {
      const text = await readIfThere(this.#file);
      if (text === null) return {};
      return stateSchema.parse(JSON.parse(text)).jobs;
    } catch (error) {
      await this.#moveAside(error);
      return {};
    }
  }

  /** Resolves when these records, or newer ones, are on the disk. */
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
    this.#writing = replaceFile(this.#file, text).finally(() => {
      this.#writing = null;
    });
    return this.#writing;
  }

  async #moveAside(reason: unknown): Promise<void> {
    const aside = `${this.#file}.damaged`;
    const fields = { file: this.#file, reason: shortReason(reason) };
    try {
      await rename(this.#file, aside);
      this.#log.warn('crontab.stateDamaged', { ...fields, movedTo: aside });
    } catch (error) {
      this.#log.warn('crontab.stateDamaged', { ...fields, notMoved: errorText(error) });
    }
  }
}

function shortReason(reason: unknown): string {
  return reason instanceof z.ZodError ? z.prettifyError(reason) : errorText(reason);
}
