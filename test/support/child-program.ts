/** The parent's side of a helper program in a process of its own: typed calls, which fail when the program ends. */
import { type ChildProcess, fork } from 'node:child_process';

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

interface Answer {
  readonly i: number;
  readonly value?: unknown;
  readonly error?: string;
}

export class ChildProgram {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;
  #ended: Error | null = null;

  constructor(file: string) {
    const env = { ...process.env };
    delete env['NODE_OPTIONS'];
    this.#child = fork(file, { execArgv: [], env, serialization: 'advanced' });
    this.#child.on('message', (message) => {
      const { i, value, error } = message as Answer;
      const waiting = this.#waiting.get(i);
      this.#waiting.delete(i);
      if (error === undefined) waiting?.resolve(value);
      else waiting?.reject(new Error(error));
    });
    this.#child.on('exit', (code, signal) => {
      this.#ended = new Error(`${file} ended with ${code ?? signal}`);
      for (const { reject } of this.#waiting.values()) reject(this.#ended);
      this.#waiting.clear();
    });
  }

  call<T>(cmd: string, args: object = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#ended) {
        reject(this.#ended);
        return;
      }
      this.#last += 1;
      this.#waiting.set(this.#last, { resolve: (value) => resolve(value as T), reject });
      this.#child.send({ i: this.#last, cmd, args });
    });
  }

  async end(): Promise<void> {
    if (this.#ended) return;
    const exited = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.disconnect();
    await exited;
  }
}
