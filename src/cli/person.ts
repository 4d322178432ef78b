/** The person at the keyboard: whether there is one to be asked, what he answers, and that he wants to leave. */
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { plainLines } from './plain-text.js';

export interface Person {
  /** Whether somebody can answer: standard input is a terminal. */
  readonly present: boolean;
  /** One line; empty when the question is left without an answer. */
  ask(question: string): Promise<string>;
  /** False as soon as Ctrl-C is pressed, or was pressed since the first wait. */
  waitUnlessInterrupted(ms: number): Promise<boolean>;
}

/** Whether the person says yes; anything else is a no. */
export async function agrees(person: Pick<Person, 'ask'>, question: string): Promise<boolean> {
  return /^y(es)?$/i.test((await person.ask(`${question} (y/N) `)).trim());
}

export interface PersonStreams {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean | undefined };
  /** Not where the results go: they may be read by a program. */
  readonly output: NodeJS.WritableStream;
}

export class PersonAtTerminal implements Person {
  readonly #streams: PersonStreams;
  #interrupted: AbortSignal | null = null;

  constructor(streams: PersonStreams) {
    this.#streams = streams;
  }

  get present(): boolean {
    return this.#streams.input.isTTY === true;
  }

  ask(question: string): Promise<string> {
    const lines = createInterface(this.#streams);
    return new Promise((resolve) => {
      // By Ctrl-C and Ctrl-D: what comes next starts on a line of its own.
      const onLeft = () => {
        this.#streams.output.write('\n');
        resolve('');
      };
      lines.once('close', onLeft);
      lines.question(plainLines(question), (answer) => {
        lines.off('close', onLeft);
        lines.close();
        resolve(answer);
      });
    });
  }

  async waitUnlessInterrupted(ms: number): Promise<boolean> {
    this.#interrupted ??= listenForInterrupt();
    const signal = this.#interrupted;
    try {
      await pause(ms, undefined, { signal });
      return true;
    } catch (error) {
      if (!signal.aborted) throw error;
      return false;
    }
  }
}

/** Only the first time: pressed once more, it ends the process at once. */
function listenForInterrupt(): AbortSignal {
  const interrupt = new AbortController();
  process.once('SIGINT', () => interrupt.abort());
  return interrupt.signal;
}
