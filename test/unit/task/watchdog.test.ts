/** The watchdog kills its process: it is tried in one of its own. */
import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { RUN_SOURCES, sourceFile } from '../../support/run-sources.js';

const WATCHDOG = sourceFile('task/watchdog.ts');

function runProgram(
  program: string,
  meanwhile: (pid: number) => void = () => {},
): Promise<{ signal: string | null; code: number | null; stderr: string }> {
  const text = `import { Watchdog } from ${JSON.stringify(WATCHDOG)};\n${program}`;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...RUN_SOURCES, '--input-type=module', '-e', text], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    meanwhile(child.pid ?? Number.NaN);
    let stderr = '';
    child.stderr.on('data', (data: Buffer) => {
      stderr += data.toString();
    });
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, stderr }));
  });
}

describe('Watchdog', () => {
  it('kills a process whose task holds the loop beyond its time, and says so', async () => {
    const end = await runProgram('new Watchdog().watch(100); for (;;);');
    expect(end.signal).toBe('SIGKILL');
    expect(end.stderr).toMatch(
      /TaskWorker \d+ is killed: a task has passed its deadline and holds the event loop/,
    );
  });

  it('leaves a process alone whose tasks have ended, and does not keep it from ending', async () => {
    const program = `
      const watchdog = new Watchdog();
      const ended = [watchdog.watch(1), watchdog.watch(100_000)];
      for (const end of ended) end();
      const until = Date.now() + 3500;
      while (Date.now() < until);
    `;
    expect(await runProgram(program)).toEqual({ code: 0, signal: null, stderr: '' });
  });

  it('gives a process that was suspended beyond the deadline the time to see to it', async () => {
    // Two seconds of work, whenever they are.
    const program = `
      const end = new Watchdog().watch(1000);
      let steps = 8;
      const work = setInterval(() => {
        steps -= 1;
        if (steps > 0) return;
        clearInterval(work);
        end();
      }, 250);
    `;
    const end = await runProgram(program, (pid) => {
      setTimeout(() => process.kill(pid, 'SIGSTOP'), 800);
      setTimeout(() => process.kill(pid, 'SIGCONT'), 5800);
    });
    expect(end).toEqual({ code: 0, signal: null, stderr: '' });
  });
});
