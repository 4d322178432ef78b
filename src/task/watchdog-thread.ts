/** The thread of the watchdog: it says why on standard error, then kills the process, as nothing gentler would be heard. */
import { workerData } from 'node:worker_threads';
import { systemClock } from '../platform/clock/system-clock.js';
import { consoleStream } from '../platform/log/console-stream.js';
import { momentMs, msBetween, msLater } from '../shared/base/clock.js';
import type { WatchdogData } from './watchdog.js';

const EVERY_MS = 1000;
/** When the whole process was suspended, its loop gets this much to find its deadlines over and see to it. */
const SUSPENDED_GRACE_MS = 10_000;

const { shared, pid } = workerData as WatchdogData;
const moment = new BigInt64Array(shared);
// A terminal or a journal that takes nothing must not keep it from its work.
const stderr = consoleStream('stderr', null);

let lookedAt = systemClock.moment();
let patientUntil = lookedAt;

setInterval(() => {
  const now = systemClock.moment();
  if (msBetween(lookedAt, now) >= 2 * EVERY_MS) patientUntil = msLater(now, SUSPENDED_GRACE_MS);
  lookedAt = now;
  const endBy = Atomics.load(moment, 0);
  if (endBy === 0n || momentMs(now) < Number(endBy) || msBetween(now, patientUntil) > 0) return;
  stderr.write(
    `spush: TaskWorker ${pid} is killed: a task has passed its deadline and holds the event loop\n`,
  );
  process.kill(pid, 'SIGKILL');
}, EVERY_MS);
