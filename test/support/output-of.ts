/** What a child process writes, as it comes. */
import type { Readable } from 'node:stream';

/** Filled until its streams end; characters are whole, wherever a pipe has cut them. */
export function outputOf(child: Readonly<Record<'stdout' | 'stderr', Readable>>): {
  readonly stdout: string;
  readonly stderr: string;
} {
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  return output;
}
