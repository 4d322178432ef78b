import { expect, test } from 'vitest';
import { Terminal } from '../../../src/cli/terminal.js';

function streams(isTTY: boolean) {
  const written = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof written) => ({
    isTTY,
    write(text: string) {
      written[name] += text;
    },
  });
  const terminal = new Terminal({ stdout: stream('stdout'), stderr: stream('stderr'), env: {} });
  return { terminal, written };
}

test('what an error quotes, such as the name of another program, cannot draw on the terminal', () => {
  for (const isTTY of [true, false]) {
    const { terminal, written } = streams(isTTY);
    terminal.printError('taken by node evil\u001b[2J\u009b1m.js\u202e\r\n\tnext line');
    const text = 'taken by node evil?[2J?1m.js??\n\tnext line';
    expect(written.stderr).toBe(isTTY ? `\u001b[31m${text}\u001b[0m\n` : `${text}\n`);
  }
});
