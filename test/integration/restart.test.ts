import { afterAll, beforeAll, expect, test } from 'vitest';
import { Daemon, freePort } from '../support/daemon.js';

let daemon: Daemon;

beforeAll(async () => {
  daemon = await Daemon.prepare({ env: { SPUSH_WORKER_NUM: '1', SPUSH_TASK_WORKER_NUM: '1' } });
});

afterAll(async () => {
  await daemon.run('server', 'stop', '-force');
  await daemon.dispose();
});

async function status(): Promise<{ listen: string; maxLinkNumber: number }> {
  return JSON.parse((await daemon.run('server', 'status', '--json')).stdout);
}

test('a restart keeps what the start was given on the command line, unless it is given anew', async () => {
  const [first, second] = [await freePort(), await freePort()];
  const started = await daemon.run('server', 'start', '-d', `--port=${first}`, '--set', 'MaxLinkNumber=55');
  expect(started.exitCode).toBe(0);
  expect(await status()).toMatchObject({ listen: `127.0.0.1:${first}`, maxLinkNumber: 55 });
  expect((await daemon.run('server', 'restart')).exitCode).toBe(0);
  expect(await status()).toMatchObject({ listen: `127.0.0.1:${first}`, maxLinkNumber: 55 });
  expect((await daemon.run('server', 'restart', `--port=${second}`)).exitCode).toBe(0);
  expect(await status()).toMatchObject({ listen: `127.0.0.1:${second}`, maxLinkNumber: 55 });
});
