/**
 * Logs are events with fields. Every process of a node appends JSON lines, one per event, to the same file, and in the
 * foreground shows them on standard output too: readable on a terminal, as JSON elsewhere.
 *
 * Keys, tokens and message bodies never come here: fields are named one by one where they are logged, whole objects of
 * peers are not. A log that cannot be opened or written (folder gone, disk full, terminal gone or stopped) costs lines and
 * harms nothing: it is a trouble (platform/health/troubles.ts), and standard error gets the lines of the file meanwhile.
 */
import { pino } from 'pino';
import type { LogConsole } from '../../shared/protocol/ipc.js';
import type { Troubles } from '../health/troubles.js';
import { type ConsoleStream, consoleStream } from './console-stream.js';
import { LogFile } from './log-file.js';
import { readableLine } from './readable-line.js';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface Log {
  /** Lines of level debug are written now: looked at before their fields are put together, so that they cost nothing else. */
  readonly debugging: boolean;
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
  /** Told when lines cannot be written; what begins while the log is opened is told in it once `tellIn` has it. */
  readonly troubles: Troubles;
}

export interface OpenLog extends Log {
  /** Opens the file anew under its name: after somebody has moved it away. */
  reopen(): void;
  setLevel(level: LogLevel): void;
  /** Lets go of the file; what is logged afterwards is not in it. */
  close(): void;
}

/** Writes at once, so that a process that dies has told. Never throws. */
export function openLog(options: LogOptions): OpenLog {
  const { troubles } = options;
  const shown = options.console === 'none' ? null : consoleStream('stdout', troubles);
  const file =
    options.file === null
      ? null
      : new LogFile({
          file: options.file,
          process: options.process,
          troubles,
          instead: shown
            ? { write() {}, where: 'standard output has its lines' }
            : insteadOfFile(consoleStream('stderr', null)),
        });
  const { console } = options;
  const screen =
    shown === null || console === 'json' ? shown : { write: readable(shown, console === 'coloured') };
  const logger = pino(
    {
      level: options.level,
      base: { process: options.process, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      messageKey: 'event',
    },
    {
      write(line) {
        file?.write(line);
        screen?.write(line);
      },
    },
  );
  const isDebugging = (): boolean => logger.isLevelEnabled('debug');
  let debugging = isDebugging();
  return {
    get debugging() {
      return debugging;
    },
    debug: (event, fields = {}) => logger.debug(fields, event),
    info: (event, fields = {}) => logger.info(fields, event),
    warn: (event, fields = {}) => logger.warn(fields, event),
    error: (event, fields = {}) => logger.error(fields, event),
    reopen: () => file?.reopen(),
    setLevel(level) {
      logger.level = level;
      debugging = isDebugging();
    },
    close: () => file?.close(),
  };
}

function insteadOfFile(stderr: ConsoleStream): { write(line: string): void; readonly where: string } {
  return { write: (line) => stderr.write(line), where: 'standard error has its lines' };
}

function readable(terminal: ConsoleStream, colour: boolean): (line: string) => void {
  return (line) => terminal.write(readableLine(line, colour));
}

/** For tests and for tools that do not log. */
export const silentLog: Log = { debugging: false, debug() {}, info() {}, warn() {}, error() {} };
