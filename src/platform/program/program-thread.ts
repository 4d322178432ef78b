/** How a thread of the program is started. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { Worker, type WorkerOptions } from 'node:worker_threads';
import { type ProgramFile, programFile } from './program-files.js';
import { leaveRemovedFolder } from './removed-folder.js';

/** No flags of the process: a loader or an inspector meant for the program is not meant for a thread of it. */
export function startProgramThread(file: ProgramFile, options: WorkerOptions): Worker {
  leaveRemovedFolder();
  return new Worker(programFile(file), { ...options, execArgv: [] });
}

/** Why a thread cannot be started any more, in words; null: its file is where it was. */
export function goneProgram(file: ProgramFile, here?: string): string | null {
  const path = programFile(file, here);
  if (existsSync(path)) return null;
  return `the program that it runs is no longer in ${dirname(path)}; a restart takes the one that is there now`;
}
