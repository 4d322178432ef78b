import { expect, test } from 'vitest';
import { cliWorld } from '../../support/cli-world.js';
import { controlServer } from '../../support/control-server.js';

const TASK = {
  running: 128,
  success: 1_234_567,
  fail: 1234,
  pid: 4_194_301,
  startUpTime: '2021-02-03T04:05:06.000Z',
  workerIndex: 1,
  queued: 1000,
};
const REBOOT = {
  pid: 4_194_301,
  startUpTime: '2021-02-03T04:05:06.000Z',
  signalTime: '2021-02-03T05:05:06.000Z',
  signalType: 'SIGTERM',
  '3s-Status': 'exit',
  newPid: 4_194_302,
};

async function running(tasks: readonly unknown[], columns?: number) {
  const world = cliWorld({ env: { NO_COLOR: '1' }, ...(columns === undefined ? {} : { columns }) });
  const answer = [{ id: 1, ok: true, data: { tasks } }];
  const requests = await controlServer(world.path('Temp/websocket.sock'), {
    ping: [{ id: 1, ok: true, data: { pid: 1, mode: 'websocket' } }],
    'task.status': answer,
    'task.reboot': answer,
  });
  return { world, requests };
}

const heading = (stdout: string) => stdout.split('\n')[1]?.match(/[\w-]+/g);

test('task status has the columns of old and the queue', async () => {
  const { world } = await running([TASK]);
  const { exitCode, stdout } = await world.run('task', 'status', '-mode=websocket');
  expect(exitCode).toBe(0);
  expect(heading(stdout)).toEqual([
    'running',
    'success',
    'fail',
    'pid',
    'startUpTime',
    'workerIndex',
    'queued',
  ]);
  expect(stdout).toMatch(/│ 2021-02-03 \d\d:05:06 │ 1 +│ 1000 +│/);
});

test.each([
  ['status', TASK],
  ['reboot', REBOOT],
])('task %s fits 80 columns', async (action, row) => {
  const { world } = await running([row], 80);
  const { stdout } = await world.run('task', action);
  for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  expect(heading(stdout)).toContain('startUpTime');
});

test('without TaskWorkers there is a hint', async () => {
  const { world } = await running([]);
  expect((await world.run('task', 'status')).stdout).toContain('please check TaskWorkerNum');
});

test('task reboot -f kills, and shows what followed', async () => {
  const { world, requests } = await running([REBOOT]);
  const { exitCode, stdout } = await world.run('task', 'reboot', '-f');
  expect(exitCode).toBe(0);
  expect(requests.at(-1)).toEqual({ cmd: 'task.reboot', args: { force: true } });
  expect(heading(stdout)).toEqual(['pid', 'startUpTime', 'signalTime', 'signalType', '3s-Status', 'newPid']);
});

test('task reboot fails when a TaskWorker does not come back', async () => {
  const { world } = await running([{ ...REBOOT, newPid: null }]);
  const { exitCode, stderr } = await world.run('task', 'reboot');
  expect(exitCode).toBe(1);
  expect(stderr).toContain('pid 4194301');
});

test('--json has the keys of the protocol', async () => {
  const status = await running([TASK]);
  expect(JSON.parse((await status.world.run('task', 'status', '--json')).stdout)).toEqual({ tasks: [TASK] });
  const reboot = await running([REBOOT]);
  expect(JSON.parse((await reboot.world.run('task', 'reboot', '--json')).stdout)).toEqual({
    tasks: [REBOOT],
  });
});
