/** Small programs run as real processes, for tests in which what the kernel says matters. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';

export interface RunningProgram {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Waits for a line of its standard output. */
  line(): Promise<string>;
  /** Resolves when it has ended and was collected. */
  ended(): Promise<void>;
}

export interface ProgramOptions {
  readonly args?: readonly string[];
  readonly detached?: boolean;
  /** Of Node. */
  readonly flags?: readonly string[];
}

/** Runs JavaScript in a process of its own, which is killed at the end of the test. */
export async function runProgram(
  code: string,
  { args = [], detached = false, flags = [] }: ProgramOptions = {},
): Promise<RunningProgram> {
  const child = spawn(process.execPath, [...flags, '-e', code, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached,
  });
  const exit = once(child, 'exit');
  await once(child, 'spawn');
  const { pid, stdout } = child;
  if (pid === undefined || stdout === null) throw new Error('the program was not started');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exit;
  });
  const lines = linesOf(stdout);
  return {
    child,
    pid,
    line: async () => {
      const next = await lines.next();
      if (next.done) throw new Error('the program wrote no further line');
      return next.value;
    },
    ended: async () => {
      await exit;
    },
  };
}

/** One that only lives. */
export const LIVES = `console.log('here'); setInterval(() => {}, 1000);`;

async function* linesOf(stream: NodeJS.ReadableStream): AsyncGenerator<string, void> {
  let text = '';
  for await (const chunk of stream) {
    text += String(chunk);
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      yield text.slice(0, end);
      text = text.slice(end + 1);
    }
  }
}
