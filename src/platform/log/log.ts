/**
 * Logs are events with fields. Every process of a node appends JSON lines, one per event, to the same file, and in the
 * foreground shows them on standard output too: readable on a terminal, as JSON elsewhere.
 *
 * Keys, tokens and message bodies never come here: fields are named one by one where they are logged, whole objects of
 * peers are not. A log that cannot be written (disk full, terminal gone) loses lines and harms nothing.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { pino } from 'pino';
import type { LogConsole } from '../../shared/protocol/ipc.js';
import { readableLine } from './readable-line.js';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

export interface LogOptions {
  /** Title of the process, in every line. */
  readonly process: string;
  readonly level: LogLevel;
  /** Null: no file. */
  readonly file: string | null;
  readonly console: LogConsole;
}

export interface OpenLog extends Log {
  /** Opens the file anew under its name: after somebody has moved it away. */
  reopen(): void;
  setLevel(level: LogLevel): void;
}

/** Writes at once, so that a process that dies has told. */
export function openLog(options: LogOptions): OpenLog {
  const streams: pino.StreamEntry[] = [];
  const file = options.file === null ? null : openDestination(options.file);
  if (file) streams.push({ level: 'trace', stream: file });
  if (options.console === 'json') streams.push({ level: 'trace', stream: openDestination(1) });
  if (options.console === 'coloured' || options.console === 'plain') {
    streams.push({ level: 'trace', stream: readableConsole(options.console === 'coloured') });
  }
  const logger = pino(
    {
      level: options.level,
      base: { process: options.process, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      messageKey: 'event',
    },
    pino.multistream(streams),
  );
  return {
    debug: (event, fields = {}) => logger.debug(fields, event),
    info: (event, fields = {}) => logger.info(fields, event),
    warn: (event, fields = {}) => logger.warn(fields, event),
    error: (event, fields = {}) => logger.error(fields, event),
    reopen: () => file?.reopen(),
    setLevel(level) {
      logger.level = level;
    },
  };
}

type Destination = ReturnType<typeof pino.destination>;

function openDestination(dest: string | number): Destination {
  if (typeof dest === 'string') mkdirSync(path.dirname(dest), { recursive: true });
  const destination = pino.destination({ dest, append: true, sync: true });
  // ENOSPC, EIO, EPIPE: the line is lost; there is nowhere to tell it.
  destination.on('error', () => {});
  return destination;
}

function readableConsole(colour: boolean): pino.DestinationStream {
  const terminal = openDestination(1);
  return { write: (line) => void terminal.write(readableLine(line, colour)) };
}

/** For tests and for tools that do not log. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
