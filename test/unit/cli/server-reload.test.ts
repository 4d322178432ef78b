import { describe, expect, test } from 'vitest';
import { cliWorld } from '../../support/cli-world.js';
import { controlServer } from '../../support/control-server.js';

const STEP = { id: 1, event: { text: 'Worker.0: the new one listens' } };
const RESULT = {
  workers: 2,
  kept: 100,
  closed: 3,
  closedBy: { tls: 2, left: 1 },
  seconds: 1.25,
  longestPauseMs: 28,
  applied: ['MaxLinkNumber', 'LogLevel'],
  notApplied: ['TaskWorkerNum'],
};
const UNCHANGED = { added: [], removed: [], changed: [] };
const WHOLE = { ...RESULT, hidden: [], jobs: UNCHANGED, tasks: UNCHANGED, hooksFailed: null };

async function running(...answers: unknown[]) {
  const world = cliWorld({ columns: 80, env: { NO_COLOR: '1' } });
  await controlServer(world.path('Temp/websocket.sock'), {
    ping: [{ id: 1, ok: true, data: { pid: 1, mode: 'websocket' } }],
    'server.reload': answers,
  });
  return world;
}

test('a reload shows its steps, its result, and what has to wait for a restart', async () => {
  const world = await running(STEP, { id: 1, ok: true, data: RESULT });
  const { exitCode, stdout, stderr } = await world.run('server', 'reload', '-mode=websocket');
  expect([exitCode, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/^Worker\.0: the new one listens\n┌/);
  expect(stdout).toMatch(/│ applied +│ MaxLinkNumber, LogLevel │/);
  expect(stdout).toMatch(/│ closedBy +│ tls 2, left 1 +│/);
  for (const item of Object.keys(RESULT)) expect(stdout).toContain(`│ ${item} `);
  expect(stdout).toMatch(/\nnot applied until spush server restart -mode=websocket: TaskWorkerNum\n$/);
});

test('a reload that changed no key says so with dashes', async () => {
  const data = { ...RESULT, applied: [], notApplied: [] };
  const { stdout } = await (await running({ id: 1, ok: true, data })).run('server', 'reload');
  expect(stdout).toMatch(/│ notApplied +│ - +│/);
  expect(stdout).not.toContain('restart');
});

test('a reload names the edits that have no effect, and what wins over them', async () => {
  const hidden = [
    { key: 'MaxLinkNumber', by: 'environment', variable: 'SPUSH_MAX_LINK_NUMBER' },
    { key: 'Port', by: 'commandLine', variable: null },
  ];
  const world = await running({ id: 1, ok: true, data: { ...RESULT, notApplied: [], hidden } });
  const { exitCode, stdout } = await world.run('server', 'reload');
  expect(exitCode).toBe(0);
  expect(stdout.split('\n').slice(-3)).toEqual([
    'the edit of MaxLinkNumber has no effect: SPUSH_MAX_LINK_NUMBER in the environment of its start wins; without it: spush server restart -mode=websocket',
    'the edit of Port has no effect: the command line of its start sets it and wins; spush server stop -mode=websocket, then start it without that option',
    '',
  ]);
});

test('a reload names the own jobs and tasks that changed', async () => {
  const jobs = { added: ['Night', 'Noon'], removed: [], changed: ['Hourly'] };
  const world = await running({ id: 1, ok: true, data: { ...RESULT, jobs } });
  const { exitCode, stdout } = await world.run('server', 'reload');
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/│ jobs +│ added Night, Noon, changed Hourly +│/);
  expect(stdout).toMatch(/│ tasks +│ - +│/);
});

test('a reload whose own jobs do not count says why, and ends with 1', async () => {
  const hooksFailed = 'the new spush.websocket.TaskWorker.0 did not come up';
  const world = await running({ id: 1, ok: true, data: { ...RESULT, hooksFailed } });
  const { exitCode, stdout, stderr } = await world.run('server', 'reload');
  expect([exitCode, stdout]).toEqual([1, expect.stringContaining('│ workers ')]);
  const message = `own jobs and tasks do not count everywhere yet: ${hooksFailed}; see the log, then reload again`;
  expect(stderr).toBe(`${message}\n`);
  const json = await world.run('server', 'reload', '--json');
  expect(json).toMatchObject({ exitCode: 1, stderr: '' });
  const error = { code: 'RELOAD_FAILED', message, exitCode: 1 };
  expect(JSON.parse(json.stdout)).toEqual({ ...WHOLE, hooksFailed, error });
});

test('--json prints the steps as events, and the result last', async () => {
  const world = await running(STEP, { id: 1, ok: true, data: RESULT });
  const { stdout } = await world.run('server', 'reload', '--json');
  expect(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual([{ event: STEP.event }, WHOLE]);
});

describe('what goes wrong is said on standard error', () => {
  test.each([
    ['RELOAD_RUNNING', 1],
    ['RELOAD_FAILED', 1],
    ['CONFIG_INVALID', 78],
  ])('%s ends with %d', async (code, exitCode) => {
    const world = await running({ id: 1, ok: false, error: { code, message: 'MaxLinkNumber: wrong' } });
    expect(await world.run('server', 'reload')).toEqual({
      exitCode,
      stdout: '',
      stderr: 'MaxLinkNumber: wrong\n',
    });
  });
});
