import { describe, expect, test } from 'vitest';
import type { CliWorldOptions } from '../../support/cli-world.js';
import { cliWorld } from '../../support/cli-world.js';
import { controlServer } from '../../support/control-server.js';

const PING = { id: 1, ok: true, data: { pid: 1, mode: 'websocket' } };
const killed = (newPid: number | null) => ({
  pid: 41,
  name: 'spush.websocket.TaskWorker.0',
  group: 'spush.websocket.TaskWorker',
  option: 'SIGTERM',
  newPid,
  kept: null,
  closed: null,
  longestPauseMs: null,
});
const answer = (...processes: unknown[]) => ({ id: 1, ok: true, data: { processes } });

async function running(answers: readonly unknown[], options: CliWorldOptions = {}) {
  const world = cliWorld({ env: { NO_COLOR: '1' }, ...options });
  const requests = await controlServer(world.path('Temp/websocket.sock'), {
    ping: [PING],
    'process.kill': answers,
  });
  const asked = () => requests.filter(({ cmd }) => cmd !== 'ping').map(({ args }) => args);
  return { world, asked };
}

describe('process kill', () => {
  test('shows the steps, then what was sent and which pid took the place of which', async () => {
    const { world } = await running([{ id: 1, event: { text: 'TaskWorker.0 ends' } }, answer(killed(42))]);
    const { exitCode, stdout, stderr } = await world.run('process', 'kill', '--group=TaskWorker');
    expect([exitCode, stderr]).toEqual([0, '']);
    const lines = stdout.split('\n');
    expect(lines[0]).toBe('TaskWorker.0 ends');
    expect(lines[2]?.split('│').map((cell) => cell.trim())).toEqual([
      '',
      'pid',
      'name',
      'group',
      'option',
      '',
    ]);
    expect(lines[4]?.split('│').map((cell) => cell.trim())).toEqual([
      '',
      '41 → 42',
      'spush.websocket.TaskWorker.0',
      'spush.websocket.TaskWorker',
      'SIGTERM',
      '',
    ]);
  });

  test('shows what became of the connections of Workers', async () => {
    const row = {
      ...killed(42),
      name: 'spush.websocket.Worker.0',
      kept: 5000,
      closed: 2,
      longestPauseMs: 12.3,
    };
    const { world } = await running([answer(row)], { columns: 100 });
    const { stdout } = await world.run('process', 'kill', '--pid=41');
    expect(stdout).toMatch(/│ kept +│ closed +│ longestPauseMs +│/);
    expect(stdout).toMatch(/│ 5000 +│ 2 +│ 12\.3 +│/);
  });

  test('fits 80 columns', async () => {
    const { world } = await running([answer(killed(42))], { columns: 80 });
    const { stdout } = await world.run('process', 'kill', '--pid=41');
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(stdout).not.toContain('group');
  });

  test('fails when the place stays empty', async () => {
    const { world } = await running([answer(killed(null))]);
    const { exitCode, stdout, stderr } = await world.run('process', 'kill', '--pid=41', '--json');
    expect([exitCode, stderr]).toEqual([1, '']);
    const message = expect.stringContaining('not yet up again: spush.websocket.TaskWorker.0');
    expect(JSON.parse(stdout)).toEqual({
      processes: [killed(null)],
      error: { code: 'START_FAILED', message, exitCode: 1 },
    });
    const people = await (await running([answer(killed(null))])).world.run('process', 'kill', '--pid=41');
    expect(people).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('not yet up again') });
  });

  test('fails when nothing matches', async () => {
    const { world } = await running([answer()]);
    expect(await world.run('process', 'kill', '--group=Wrker')).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: 'no process was killed: there is none of group Wrker\n',
    });
  });

  test.each([
    [['kill'], 'say which: spush process kill --pid=PID or --group=GROUP_NAME'],
    [
      ['kill', '--pid=41', '--group=Worker'],
      'say only one of both: spush process kill --pid=PID or --group=',
    ],
    [['kill', '--pid=4x'], '--pid=4x: expected the number of a process'],
    [['kill', '--pid=0'], '--pid=0: expected the number of a process'],
    [['kill', '--pid='], '--pid=: expected the number of a process'],
    [['kill', '--group='], '--group= is empty'],
    [['kill', '41'], "unexpected word '41'; a process is named by spush process kill --pid=41"],
    [['kill', 'Worker', '-f'], 'a group is named by spush process kill --group=Worker'],
    [['kill', '--pid=41', '42'], "spush process kill: unexpected word '42'\n"],
    [['killall'], 'Did you mean killAll'],
  ])('%j is wrong', async (argv, text) => {
    const { world, asked } = await running([answer(killed(42))]);
    const { exitCode, stdout, stderr } = await world.run('process', ...argv);
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toContain(text);
    expect(asked()).toEqual([]);
  });
});

describe('process killAll', () => {
  test.each(['y', 'Y', 'yes', ' YES '])('is done when a person answers %j', async (word) => {
    const { world, asked } = await running([answer(killed(42))], { answers: [word] });
    const { exitCode, stderr } = await world.run('process', 'killAll');
    expect(exitCode).toBe(0);
    expect(stderr).toBe('Replace all processes of mode websocket? (y/N) \n');
    expect(asked()).toEqual([{ all: true, force: false }]);
  });

  test.each(['', 'n', 'N', 'yep'])('is not done when a person answers %j', async (word) => {
    const { world, asked } = await running([answer(killed(42))], { answers: [word, word] });
    const inJson = await world.run('process', 'killAll', '-f', '--json');
    const error = { code: 'CANCELLED', message: 'nothing was killed', exitCode: 1 };
    expect(inJson).toMatchObject({ exitCode: 1, stdout: `${JSON.stringify({ error })}\n` });
    const { exitCode, stderr } = await world.run('process', 'killAll', '-f');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('Kill all processes of mode websocket? (y/N)');
    expect(stderr).toContain('nothing was killed');
    expect(asked()).toEqual([]);
  });

  test('asks nobody with --yes, or where nobody is', async () => {
    const withYes = await running([answer(killed(42))], { answers: [] });
    expect(await withYes.world.run('process', 'killAll', '--yes')).toMatchObject({ exitCode: 0, stderr: '' });
    const script = await running([answer(killed(42))]);
    expect(await script.world.run('process', 'killAll')).toMatchObject({ exitCode: 0, stderr: '' });
  });

  test('asks nothing about what does not run', async () => {
    const world = cliWorld({ answers: ['y'] });
    const { exitCode, stderr } = await world.run('process', 'killAll');
    expect(exitCode).toBe(3);
    expect(stderr).not.toContain('?');
  });
});
