/** The moments of all processes and threads of the machine are those of one counter: sessions and deadlines travel with them. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { systemClock } from '../../../../src/platform/clock/system-clock.js';
import { momentMs } from '../../../../src/shared/base/clock.js';
import { RUN_SOURCES, sourceFile } from '../../../support/run-sources.js';

/** What the difference of two clocks of one process was found out with: microseconds. */
const APART_MS = 1;

const CLOCK = sourceFile('platform/clock/system-clock.ts');
/** Threads have no hooks for `import()` of sources; for `require` they need none. */
const TSX = createRequire(import.meta.url).resolve('tsx/cjs/api');

function now(): number {
  return momentMs(systemClock.moment());
}

test('in another thread', async () => {
  const before = now();
  const thread = new Worker(
    `const { systemClock } = require('${TSX}').require('${CLOCK}', '${CLOCK}');
     require('node:worker_threads').parentPort.postMessage(systemClock.moment());`,
    { eval: true },
  );
  const [there] = await once(thread, 'message');
  expect(there).toBeGreaterThan(before - APART_MS);
  expect(there).toBeLessThan(now() + APART_MS);
});

test('in another process', () => {
  const before = now();
  const there = execFileSync(process.execPath, [
    ...RUN_SOURCES,
    '--input-type=module',
    '-e',
    `import { systemClock } from '${CLOCK}'; console.log(systemClock.moment());`,
  ]);
  expect(Number(there)).toBeGreaterThan(before - APART_MS);
  expect(Number(there)).toBeLessThan(now() + APART_MS);
});
