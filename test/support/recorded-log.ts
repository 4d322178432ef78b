import type { Log, LogFields, LogLevel } from '../../src/platform/log/log.js';

export interface LoggedLine {
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: LogFields;
}

/** A log that keeps what it was told. */
export function recordedLog({ debugging = false } = {}): Log & { readonly lines: LoggedLine[] } {
  const lines: LoggedLine[] = [];
  const at =
    (level: LogLevel) =>
    (event: string, fields: LogFields = {}): void => {
      lines.push({ level, event, fields });
    };
  return { lines, debugging, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
