/** The thread of the watchdog: it says why on standard error, then kills the process, as nothing gentler would be heard. */
import { workerData } from 'node:worker_threads';
import { consoleStream } from '../platform/log/console-stream.js';
import type { WatchdogData } from './watchdog.js';

const EVERY_MS = 1000;

const { shared, pid } = workerData as WatchdogData;
const moment = new BigInt64Array(shared);
// A terminal or a journal that takes nothing must not keep it from its work.
const stderr = consoleStream('stderr', null);

setInterval(() => {
  const endBy = Atomics.load(moment, 0);
  if (endBy === 0n || process.hrtime.bigint() < endBy) return;
  stderr.write(
    `spush: TaskWorker ${pid} is killed: a task has passed its deadline and holds the event loop\n`,
  );
  process.kill(pid, 'SIGKILL');
}, EVERY_MS);
