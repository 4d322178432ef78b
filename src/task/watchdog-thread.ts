/** The thread of the watchdog: it says why on standard error, then kills the process, as nothing gentler would be heard. */
import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { systemClock } from '../platform/clock/system-clock.js';
import { momentMs } from '../shared/base/clock.js';
import type { WatchdogData } from './watchdog.js';

const EVERY_MS = 1000;
const STDERR = 2;

const { shared, pid } = workerData as WatchdogData;
const moment = new BigInt64Array(shared);

setInterval(() => {
  const endBy = Atomics.load(moment, 0);
  if (endBy === 0n || momentMs(systemClock.moment()) < Number(endBy)) return;
  try {
    writeSync(
      STDERR,
      `spush: TaskWorker ${pid} is killed: a task has passed its deadline and holds the event loop\n`,
    );
  } finally {
    process.kill(pid, 'SIGKILL');
  }
}, EVERY_MS);
