/**
 * Where the store thread's program is, and how it is started.
 *
 * A thread is started from a file that Node can run. In the built program that is the neighbour of this file. When this file
 * itself runs as TypeScript (tests load `src/` through their own compiler, which threads do not have), it is the same
 * file under `dist/`; `npm test` builds before it tests.
 */
import { Worker } from 'node:worker_threads';
import { ExitGate } from './exit-gate.js';
import type { ThreadData } from './store-calls.js';

export function threadEntry(here: string = import.meta.url): URL {
  const entry = new URL('./thread/store-thread.js', here);
  if (here.endsWith('.ts')) entry.pathname = entry.pathname.replace(/\/src\/(?=platform\/store\/)/, '/dist/');
  return entry;
}

export function startThread(data: Omit<ThreadData, 'gate'>): Worker {
  const gate = new ExitGate();
  const workerData: ThreadData = { ...data, gate: gate.buffer };
  // No flags of the process: a loader or an inspector meant for the program is not meant for this thread.
  const worker = new Worker(threadEntry(), { name: 'spush-store', workerData, execArgv: [] });
  const stopThread = () => gate.stopThread();
  process.once('exit', stopThread);
  worker.once('exit', () => process.off('exit', stopThread));
  return worker;
}
