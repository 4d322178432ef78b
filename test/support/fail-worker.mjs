/**
 * Loaded by Node before a process of spush (`NODE_OPTIONS=--import …`): when the file named by SPUSH_TEST_FAIL_WORKER says so,
 * a Worker that starts throws, or stops (SIGSTOP) before it has run a line of spush.
 */
import { existsSync, readFileSync } from 'node:fs';

const order = process.env['SPUSH_TEST_FAIL_WORKER'];
const isWorker = process.argv.some((word) => /^spush\.\w+\.Worker\.\d+$/.test(word));
if (order && isWorker && existsSync(order)) {
  const what = readFileSync(order, 'utf8');
  if (what === 'throw') throw new Error('this Worker was told to fail');
  if (what === 'stop') process.kill(process.pid, 'SIGSTOP');
}
