/**
 * Where a command writes: results to standard output, errors to standard error, colours only for a terminal and
 * without NO_COLOR (https://no-color.org).
 */
import type { LogConsole } from '../shared/protocol/ipc.js';
import { plainLines } from './plain-text.js';

/** The part of a stream that is used; tests hand in a list of texts. */
export interface OutputStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** To the first row and column, then everything from there on away. */
const CLEAR_SCREEN = '\u001b[H\u001b[J';

const CODES = { red: 31, green: 32, brown: 33, blue: 34, cyan: 36, boldGreen: '1;32' } as const;
export type Colour = keyof typeof CODES;
export type Paint = (colour: Colour, text: string) => string;

export interface TerminalOptions {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: NodeJS.ProcessEnv;
}

export class Terminal {
  readonly #stdout: OutputStream;
  readonly #stderr: OutputStream;
  readonly #env: NodeJS.ProcessEnv;

  constructor({ stdout, stderr, env }: TerminalOptions) {
    this.#stdout = stdout;
    this.#stderr = stderr;
    this.#env = env;
  }

  /** Columns to lay a table out in; without a terminal there is no limit. */
  get width(): number {
    return this.#stdout.isTTY ? (this.#stdout.columns ?? 80) : Number.POSITIVE_INFINITY;
  }

  /** Whether a person looks at the results, rather than a file or a program. */
  get isTerminal(): boolean {
    return this.#stdout.isTTY === true;
  }

  /** How a log is shown on standard output: for people on a terminal, for programs elsewhere. */
  get logConsole(): LogConsole {
    if (!this.#stdout.isTTY) return 'json';
    return this.#isPlain(this.#stdout) ? 'plain' : 'coloured';
  }

  readonly paint: Paint = (colour, text) => this.#painted(this.#stdout, colour, text);

  print(text: string): void {
    this.#stdout.write(`${text}\n`);
  }

  /** For what is drawn again and again. */
  clear(): void {
    this.#stdout.write(CLEAR_SCREEN);
  }

  /** One line of JSON, for scripts. */
  printJson(value: unknown): void {
    this.print(JSON.stringify(value));
  }

  /** Without colours of its own: what it quotes may be anybody's. */
  printError(text: string): void {
    this.#stderr.write(`${this.#painted(this.#stderr, 'red', plainLines(text))}\n`);
  }

  #painted(stream: OutputStream, colour: Colour, text: string): string {
    return this.#isPlain(stream) ? text : `\u001b[${CODES[colour]}m${text}\u001b[0m`;
  }

  #isPlain(stream: OutputStream): boolean {
    return !stream.isTTY || Boolean(this.#env['NO_COLOR']) || this.#env['TERM'] === 'dumb';
  }
}
