/** The folder in which a server was started is removed, as when a release is replaced: processes are started as ever. */
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Daemon } from '../support/daemon.js';
import { WsClient } from '../support/ws-client.js';

const UID = 41;

test('a Worker and a TaskWorker that are killed come back and deliver; a reload and config show work', async () => {
  const cwd = mkdtempSync(path.join(tmpdir(), 'spush-'));
  const env = { SPUSH_WORKER_NUM: '1', SPUSH_TASK_WORKER_NUM: '1' };
  const daemon = await Daemon.start({ cwd, env });
  onTestFinished(() => daemon.dispose());
  rmdirSync(cwd);
  // First: what starts a process later would have left the folder already.
  const shown = await daemon.run('config', 'show', 'Port', '--json');
  expect(JSON.parse(shown.stdout).running).toMatchObject({ state: 'answered', fault: null });
  for (const group of ['Worker', 'TaskWorker']) {
    const { exitCode, stdout, stderr } = await daemon.run('process', 'kill', `--group=${group}`, '-f');
    expect(exitCode, `${stdout}${stderr}`).toBe(0);
  }
  const reload = await daemon.run('server', 'reload');
  expect(reload.exitCode, reload.stderr).toBe(0);
  const client = await WsClient.login(daemon.wsUrl, UID);
  expect((await daemon.post('/api/comment/message', { uid: UID, title: 'here' })).status).toBe(200);
  await client.untilItems(1);
});
