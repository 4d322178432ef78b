/** The moments of all processes and threads of the machine are those of one counter: sessions and deadlines travel with them. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { systemClock } from '../../../../src/platform/clock/system-clock.js';
import { momentMs } from '../../../../src/shared/base/clock.js';

/** What the difference of two clocks of one process was found out with: microseconds. */
const APART_MS = 1;

const BUILT = path.resolve(import.meta.dirname, '../../../../dist');
const READ = `
  const { systemClock } = await import(${JSON.stringify(`${BUILT}/platform/clock/system-clock.js`)});
  const moment = systemClock.moment();`;

function now(): number {
  return momentMs(systemClock.moment());
}

test('in another thread', async () => {
  const before = now();
  const thread = new Worker(
    `(async () => { ${READ} require('node:worker_threads').parentPort.postMessage(moment); })()`,
    {
      eval: true,
    },
  );
  const [there] = await once(thread, 'message');
  expect(there).toBeGreaterThan(before - APART_MS);
  expect(there).toBeLessThan(now() + APART_MS);
});

test('in another process', () => {
  const before = now();
  const there = execFileSync(process.execPath, ['--input-type=module', '-e', `${READ} console.log(moment)`]);
  expect(Number(there)).toBeGreaterThan(before - APART_MS);
  expect(Number(there)).toBeLessThan(now() + APART_MS);
});
