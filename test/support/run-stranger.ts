/** Runs `stranger.mjs` against a server; resolves with what became of its connections. */
import { spawn } from 'node:child_process';
import path from 'node:path';

const PROGRAM = path.join(import.meta.dirname, 'stranger.mjs');

/** @param from an address of this machine; budgets of addresses leave out loopback, which is the default. */
export function runStranger(kind: string, port: number, seconds: number, from?: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [PROGRAM, kind, String(port), String(seconds), ...(from ? [from] : [])],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve(JSON.parse(text)) : reject(new Error(`exit ${code}`)),
    );
  });
}
