/**
 * Runs shell lines as they stand in the documentation. Programs that would reach the reader's servers, users and folders stand
 * in front of those of the machine and lead to what belongs to the test.
 */
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { outputOf } from './output-of.js';

/** @param programs by name: a program of the machine with options in front, or what a shell is to do. */
export async function runAsPrinted(
  text: string,
  programs: Readonly<Record<string, readonly string[] | string>>,
): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), 'spush-shell-'));
  try {
    for (const [name, stands] of Object.entries(programs)) {
      const file = path.join(folder, name);
      const script = typeof stands === 'string' ? stands : `exec ${stands.map(quoted).join(' ')} "$@"`;
      writeFileSync(file, `#!/bin/bash\n${script}\n`);
      chmodSync(file, 0o755);
    }
    return await runShell(text, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A word as a shell takes it whole. */
export function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

function runShell(text: string, programs: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-euo', 'pipefail', '-c', text], {
      cwd: programs,
      env: { ...process.env, PATH: `${programs}:${process.env['PATH']}` },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = outputOf(child);
    child.once('error', reject);
    // A server that was started in the background may keep the pipes.
    child.once('exit', (code) =>
      setImmediate(() =>
        code === 0
          ? resolve(output.stdout)
          : reject(new Error(`exit ${code} of:\n${text}\n${output.stdout}${output.stderr}`)),
      ),
    );
  });
}
