/**
 * The log file as one process writes it: whole lines, at once, so that a process that dies has told.
 *
 * No fault of the file ends or delays anything. A line that the file does not take goes to `instead`; the file is tried
 * again every two seconds, and when it takes lines again it says how many are missing. The same look finds a file that was
 * moved, deleted or replaced: the one that has the name is written, so logrotate works also when nobody tells us.
 */

import { closeSync, constants, fstatSync, mkdirSync, openSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorText } from '../../shared/base/errors.js';
import { systemClock } from '../clock/system-clock.js';
import type { Troubles } from '../health/troubles.js';

export const LOOK_EVERY_MS = 2000;
/** Texts of messages are in no log, but addresses and user numbers are: the group may read, others may not. */
export const LOG_FOLDER_MODE = 0o750;
export const LOG_FILE_MODE = 0o640;
/** Not to wait for whoever reads it when somebody has put a pipe or a terminal in its place. */
const FLAGS =
  constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK | constants.O_NOCTTY;

export interface LogFileOptions {
  readonly file: string;
  /** Title of the process, for the one line that is written here. */
  readonly process: string;
  readonly troubles: Pick<Troubles, 'begin' | 'end' | 'has'>;
  /** What becomes of a line that the file does not take; `where` says it in words: `standard error has its lines`. */
  readonly instead: { write(line: string): void; readonly where: string };
}

interface OpenFile {
  readonly fd: number;
  /** Device and inode: whether it is the one that has the name. */
  readonly identity: string;
}

export class LogFile {
  readonly #options: LogFileOptions;
  readonly #timer: NodeJS.Timeout;
  #open: OpenFile | null = null;
  #openFault: string | null = null;
  #writeFault: string | null = null;
  /** Lines that the file lacks and does not tell of yet. */
  #missed = 0;
  /** The last write ended in the middle of a line. */
  #isCut = false;

  constructor(options: LogFileOptions) {
    this.#options = options;
    this.reopen();
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  /** @param line with its line break. */
  write(line: string): void {
    if (!this.#put(line)) this.#miss(line);
  }

  /** Opens what has the name now. Without success the old file goes on as long as it has a name of its own. */
  reopen(): void {
    const { file } = this.#options;
    try {
      mkdirSync(dirname(file), { recursive: true, mode: LOG_FOLDER_MODE });
      const fd = openSync(file, FLAGS, LOG_FILE_MODE);
      this.#close();
      this.#open = { fd, identity: identityText(fstatSync(fd, { bigint: true })) };
      this.#openFault = null;
      this.#isCut = false;
    } catch (error) {
      this.#openFault = `cannot be opened: ${errorText(error)}`;
      if (this.#open !== null && hasNoName(this.#open.fd)) this.#close();
      this.#tell(0);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#close();
  }

  #look(): void {
    if (this.#open === null || !this.#hasTheName(this.#open)) this.reopen();
    else this.#openFault = null;
    if (this.#missed > 0 && this.#put(this.#missedLine())) this.#missed = 0;
    // Not with each line that is written: on a disk with room for some lines only, that would go to and fro.
    if (this.#openFault === null && this.#writeFault === null) this.#options.troubles.end('log');
  }

  #hasTheName({ identity }: OpenFile): boolean {
    try {
      const stats = statSync(this.#options.file, { bigint: true, throwIfNoEntry: false });
      return stats !== undefined && identityText(stats) === identity;
    } catch {
      // Not to be reached: opening it says why.
      return false;
    }
  }

  /** False: the line is not, or not whole, in the file. */
  #put(line: string): boolean {
    if (this.#open === null) return false;
    const { fd } = this.#open;
    const bytes = Buffer.from(this.#isCut ? `\n${line}` : line);
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(fd, bytes, written);
      this.#isCut = false;
      this.#writeFault = null;
      return true;
    } catch (error) {
      this.#isCut ||= written > 0;
      this.#writeFault = `cannot be written: ${errorText(error)}`;
      return false;
    }
  }

  #miss(line: string): void {
    this.#missed += 1;
    this.#tell(1);
    this.#options.instead.write(line);
  }

  #tell(failures: number): void {
    const fault = this.#openFault ?? this.#writeFault;
    if (fault === null) return;
    const { file, instead, troubles } = this.#options;
    const text = `${file} ${fault}; ${instead.where}. Make room, or give this user the folder; it is tried again every ${LOOK_EVERY_MS / 1000} s`;
    troubles.begin('log', text, failures);
  }

  #missedLine(): string {
    const line = {
      level: 'warn',
      time: new Date(systemClock.now()).toISOString(),
      process: this.#options.process,
      pid: process.pid,
      event: 'log.missed',
      lines: this.#missed,
    };
    return `${JSON.stringify(line)}\n`;
  }

  #close(): void {
    if (this.#open !== null) closeSync(this.#open.fd);
    this.#open = null;
  }
}

function identityText({ dev, ino }: { readonly dev: bigint; readonly ino: bigint }): string {
  return `${dev}:${ino}`;
}

/** It was deleted: what is written to it is lost. */
function hasNoName(fd: number): boolean {
  return fstatSync(fd).nlink === 0;
}
