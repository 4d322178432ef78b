import { expect, test } from 'vitest';
import { cliWorld } from '../../support/cli-world.js';
import { controlServer } from '../../support/control-server.js';

const JOB = {
  taskName: 'PushCommentMsg',
  taskRule: '*/6 * * * *',
  taskRunTimes: 1,
  taskNextRunTime: null,
  taskCurrentRunTime: null,
  isStop: 0,
  lastResult: 'ok',
  lastDurationMs: 12,
  skipped: 0,
};

async function running(...answers: unknown[]) {
  const world = cliWorld();
  const requests = await controlServer(world.path('Temp/websocket.sock'), {
    ping: [{ id: 1, ok: true, data: { pid: 1, mode: 'websocket' } }],
    'crontab.run': answers,
    'crontab.show': [{ id: 1, ok: true, data: { jobs: [JOB] } }],
  });
  return { world, requests };
}

const DONE = { id: 1, ok: true, data: { name: 'PushCommentMsg', result: { messages: 3 }, durationMs: 12 } };

test('a job is run by its name, and the table shown', async () => {
  const { world, requests } = await running(DONE);
  const result = await world.run('crontab', 'run', '--name=PushCommentMsg', '-mode=websocket');
  expect(result).toMatchObject({ exitCode: 0, stderr: '' });
  expect(result.stdout).toMatch(/^crontab: PushCommentMsg run success\n┌[\s\S]*│ PushCommentMsg +│ \*\/6/);
  expect(requests).toEqual([
    { cmd: 'ping', args: {} },
    { cmd: 'crontab.run', args: { name: 'PushCommentMsg', wait: false } },
    { cmd: 'crontab.show', args: {} },
  ]);
});

test('the old name of the option is known', async () => {
  const { world, requests } = await running(DONE);
  await world.run('crontab', 'run', '-taskName=PushCommentMsg');
  expect(requests[1]).toMatchObject({ args: { name: 'PushCommentMsg' } });
});

test('--wait shows the steps and the result', async () => {
  const { world } = await running({ id: 1, event: { text: 'waiting for PushCommentMsg' } }, DONE);
  const { stdout } = await world.run('crontab', 'run', '--name', 'PushCommentMsg', '--wait');
  expect(stdout).toContain(
    'waiting for PushCommentMsg\ncrontab: PushCommentMsg run success\nresult: {"messages":3} in 12 ms\n┌',
  );
});

test('--json prints what the master answers', async () => {
  const { world } = await running(DONE);
  const { stdout } = await world.run('crontab', 'run', '--name=PushCommentMsg', '--json');
  expect(JSON.parse(stdout)).toEqual(DONE.data);
});

test('what the master refuses is printed with its exit code', async () => {
  const error = { code: 'CRON_JOB_UNKNOWN', message: 'there is no job X' };
  const { world } = await running({ id: 1, ok: false, error });
  expect(await world.run('crontab', 'run', '--name=X')).toEqual({
    exitCode: 1,
    stdout: '',
    stderr: 'there is no job X\n',
  });
});
