/** Old builds are removed by a new one, which leaves those that a process has open as a folder: see build.mjs. */
import { openSync } from 'node:fs';
import { dirname } from 'node:path';
import { programFile } from './program-files.js';

/** Holds the build of this main file. Returns the open folder; null when it has gone, and there is nothing to keep. */
export function holdBuild(mainFile: string): number | null {
  try {
    return openSync(dirname(mainFile), 'r');
  } catch {
    return null;
  }
}

/** Never closed: this process loads code and starts threads from this folder as long as it lives. */
export function holdOwnBuild(): void {
  holdBuild(programFile('main'));
}
