/** What tests start as a process or as a thread is built from the sources of now: vitest calls this before it runs a project. */
import { execFileSync } from 'node:child_process';
import path from 'node:path';

const BUILD = path.resolve(import.meta.dirname, '../../build.mjs');

export default function setup(): void {
  execFileSync(process.execPath, [BUILD], { stdio: ['ignore', 'ignore', 'inherit'] });
}
