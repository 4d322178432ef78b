/**
 * How a command says that it failed: a text on standard error for people; under --json one line on standard output, where
 * the result would have been, as a program reads one stream only: `{"error":{"code":…,"message":…,"exitCode":…}}`.
 */
import { SpushError } from '../shared/base/errors.js';
import type { Terminal } from './terminal.js';

export interface Failure {
  /** One of ERROR_CODES. */
  readonly code: string;
  /** The text that people get. */
  readonly message: string;
  readonly exitCode: number;
  /** Particulars, where there are some: `faults` of the configuration. */
  readonly detail?: Readonly<Record<string, unknown>>;
}

export function failureOf({ code, message, exitCode, detail }: SpushError): Failure {
  return { code, message, exitCode, ...(Object.keys(detail).length === 0 ? {} : { detail }) };
}

/** Whether --json is on. The words are looked through as they are: they may be what is wrong. */
export function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  const options = end < 0 ? argv : argv.slice(0, end);
  const last = options.findLast((word) => /^-+json(=|$)/.test(word));
  return last !== undefined && !/=(false|0|no|off)$/i.test(last);
}

/** Answers the exit code. @param help what a person is shown below the text */
export function tellFailure(
  terminal: Terminal,
  error: SpushError,
  { json, help }: { readonly json: boolean; readonly help?: string },
): number {
  if (json) terminal.printJson({ error: failureOf(error) });
  else {
    terminal.printError(error.message);
    if (help !== undefined) terminal.printError(help);
  }
  return error.exitCode;
}

/**
 * Whatever was thrown as something that can be told. What the system refuses (no space, no right, a file system that is read
 * only) is no fault of this program; what else is not expected keeps its stack, and under --json its line is INTERNAL.
 */
export function toldFailure(error: unknown): { readonly error: SpushError; readonly isBug: boolean } {
  if (error instanceof SpushError) return { error, isBug: false };
  const text = error instanceof Error ? error.message : String(error);
  const isOfSystem = error instanceof Error && 'syscall' in error;
  const message = isOfSystem ? `the system refuses it: ${text}` : text;
  return { error: new SpushError('INTERNAL', message, { cause: error }), isBug: !isOfSystem };
}
