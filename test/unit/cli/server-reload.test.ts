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

test('--json prints the steps as events, and the result last', async () => {
  const world = await running(STEP, { id: 1, ok: true, data: RESULT });
  const { stdout } = await world.run('server', 'reload', '--json');
  expect(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual([{ event: STEP.event }, RESULT]);
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
