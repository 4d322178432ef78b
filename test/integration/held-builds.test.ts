/** The build that a process runs stays as long as the process lives: it has the folder open, where build.mjs looks for it. */
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Daemon } from '../support/daemon.js';

function openFiles(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      // It was closed meanwhile.
      return '';
    }
  });
}

test('every process of a server holds the build that it runs', async () => {
  const daemon = await Daemon.start({ env: { SPUSH_WORKER_NUM: '2', SPUSH_TASK_WORKER_NUM: '1' } });
  onTestFinished(() => daemon.dispose());
  const dist = realpathSync(path.resolve(import.meta.dirname, '../../dist'));
  const build = path.join(dist, readFileSync(path.join(dist, 'current'), 'utf8').trim());
  const children = daemon.children();
  const names = ['Master', 'Worker.0', 'Worker.1', 'TaskWorker.0', 'CrontabScheduler'];
  expect([...children.keys()].sort()).toEqual(names.map((name) => `spush.websocket.${name}`).sort());
  for (const [name, pid] of children) expect(openFiles(pid), name).toContain(build);
});
