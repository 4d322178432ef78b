/** How the store thread is started. */
import type { Worker } from 'node:worker_threads';
import { startProgramThread } from '../../program/program-thread.js';
import { ExitGate } from './exit-gate.js';
import type { ThreadData } from './store-calls.js';

export function startThread(data: Omit<ThreadData, 'gate'>): Worker {
  const gate = new ExitGate();
  const workerData: ThreadData = { ...data, gate: gate.buffer };
  const worker = startProgramThread('store-thread', { name: 'spush-store', workerData });
  const stopThread = () => gate.stopThread();
  process.once('exit', stopThread);
  worker.once('exit', () => process.off('exit', stopThread));
  return worker;
}
