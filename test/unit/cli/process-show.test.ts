import { describe, expect, test } from 'vitest';
import type { ProcessRow } from '../../../src/shared/protocol/control-commands.js';
import { type CliWorldOptions, cliWorld } from '../../support/cli-world.js';
import { controlServer } from '../../support/control-server.js';

const MIB = 1024 * 1024;

function row(name: string, group: string, changes: Partial<ProcessRow> = {}): ProcessRow {
  return {
    pid: 4_194_301,
    name: `spush.websocket.${name}`,
    group,
    memoryUsage: 812.34 * MIB,
    memoryPeakUsage: 912.34 * MIB,
    startUpTime: '2021-02-03T04:05:06.000Z',
    cpu: 99.96,
    heapUsed: 100 * MIB,
    connections: null,
    restarts: 0,
    version: '1.2.3',
    state: 'ready',
    ...changes,
  };
}

const WORKER = 'spush.websocket.Worker';
const ROWS = [
  row('CrontabScheduler', 'spush.websocket.Crontab'),
  row('Master', '-'),
  row('Worker.10', WORKER, { connections: 100_000 }),
  row('Worker.2', WORKER, { pid: null, memoryUsage: null, cpu: null, startUpTime: null, state: 'crashLoop' }),
  row('TaskWorker.0', 'spush.websocket.TaskWorker', { cpu: 0.26, restarts: 3 }),
];

async function running(options: CliWorldOptions = {}, rows = ROWS) {
  const world = cliWorld({ env: { NO_COLOR: '1' }, ...options });
  const answer = { id: 1, ok: true, data: { processes: rows } };
  const requests = await controlServer(world.path('Temp/websocket.sock'), { 'process.show': [answer] });
  return { world, requests };
}

/** Cells by line, the heading first. */
function cells(stdout: string): string[][] {
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('│'))
    .map((line) =>
      line
        .split('│')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

describe('the table', () => {
  test('has all columns where there is room, the master first, then groups in descending order', async () => {
    const { world } = await running();
    const { exitCode, stdout } = await world.run('process', 'show', '-d', '-mode=websocket');
    expect(exitCode).toBe(0);
    const [heading, ...rows] = cells(stdout);
    expect(heading?.join(' ')).toBe(
      'pid name group memoryUsage memoryPeakUsage startUpTime cpu connections restarts heap state',
    );
    expect(rows.map(([, name]) => name?.slice('spush.websocket.'.length))).toEqual([
      'Master',
      'Worker.2',
      'Worker.10',
      'TaskWorker.0',
      'CrontabScheduler',
    ]);
    expect(rows[1]).toEqual([
      '-',
      `${WORKER}.2`,
      WORKER,
      '-',
      '912.34 mb',
      '-',
      '-',
      '-',
      '0',
      '100.00 mb',
      'crashLoop',
    ]);
    expect(rows[3]?.slice(3, 6)).toEqual([
      '812.34 mb',
      '912.34 mb',
      expect.stringMatching(/^2021-02-03 \d\d:05:06$/),
    ]);
  });

  test('leaves out the group, which the name says too, when it does not fit otherwise', async () => {
    const { world } = await running({ columns: 165 });
    const [heading] = cells((await world.run('process', 'show')).stdout);
    expect(heading).not.toContain('group');
    expect(heading).toContain('state');
  });

  test('fits 80 columns also with large figures, one line for each process, and says which one is not ready', async () => {
    const { world } = await running({ columns: 80 });
    const { stdout } = await world.run('process', 'show');
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    const [heading, ...rows] = cells(stdout);
    expect(heading).toEqual(['pid', 'name', 'memory', 'up', 'cpu', 'conns', 'restarts']);
    expect(rows).toHaveLength(ROWS.length);
    expect(rows[2]).toEqual([
      '4194301',
      'Worker.10',
      '812.34 mb',
      expect.stringMatching(/^\d+d$/),
      '100',
      '100000',
      '0',
    ]);
    expect(stdout).toMatch(/┘\nspush\.websocket\.Worker\.2: crashLoop\n$/);
  });
});

describe('between these', () => {
  const USUAL = ROWS.map((row, at) => ({
    ...row,
    pid: 12_340 + at,
    memoryUsage: 161.5 * MIB,
    memoryPeakUsage: 170.25 * MIB,
    connections: 5000,
  }));

  test('120 columns have room for all but heap and state', async () => {
    const { world } = await running({ columns: 120 }, USUAL);
    const { stdout } = await world.run('process', 'show');
    expect(cells(stdout)[0]?.join(' ')).toBe(
      'pid name memoryUsage memoryPeakUsage startUpTime cpu connections restarts',
    );
  });

  test('80 columns have room for the peak with the usual figures', async () => {
    const { world } = await running({ columns: 80 }, USUAL);
    const { stdout } = await world.run('process', 'show');
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(cells(stdout)[1]?.slice(1, 3)).toEqual(['Master', '161.5/170.3 mb']);
  });
});

test('--json has bytes and the columns of the protocol', async () => {
  const { world } = await running();
  const { stdout } = await world.run('process', 'show', '--json');
  const { processes } = JSON.parse(stdout) as { processes: ProcessRow[] };
  expect(processes).toHaveLength(ROWS.length);
  expect(processes[0]).toEqual(ROWS[1]);
});

describe('--watch', () => {
  test('draws again after each wait, over what was there, until Ctrl-C', async () => {
    const { world, requests } = await running({ columns: 80, waits: 2 });
    const { exitCode, stdout } = await world.run('process', 'show', '--watch');
    expect(exitCode).toBe(0);
    expect(requests).toHaveLength(3);
    expect(stdout.split('\u001b[H\u001b[J')).toHaveLength(4);
    expect(stdout).toContain(', every 2 s, Ctrl-C ends\n');
  });

  test('under --json prints one line each time', async () => {
    const { world } = await running({ waits: 1 });
    const { stdout } = await world.run('process', 'show', '--watch=5', '--json');
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    for (const line of lines) expect(JSON.parse(line)).toHaveProperty('processes');
  });

  test('ends when the server does', async () => {
    const world = cliWorld({ waits: 5 });
    expect(await world.run('process', 'show', '--watch')).toMatchObject({ exitCode: 3, stdout: '' });
  });

  test.each(['0', '0.1', '3601', 'often', ''])('of %j seconds is refused', async (seconds) => {
    const { world } = await running();
    const { exitCode, stderr } = await world.run('process', 'show', `--watch=${seconds}`);
    expect([exitCode, stderr]).toEqual([2, `--watch=${seconds}: expected seconds from 0.5 to 3600\n`]);
  });
});
