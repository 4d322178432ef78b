import { chownSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type ServerStatus, serverStatusSchema } from '../../../src/shared/protocol/control-commands.js';
import { addUp } from '../../../src/shared/protocol/node-figures.js';
import { cliWorld } from '../../support/cli-world.js';
import { controlServer } from '../../support/control-server.js';

const STATUS = {
  mode: 'websocket',
  env: 0,
  pid: 4711,
  version: '1.2.3',
  versions: [{ version: '1.2.3', processes: ['Master'] }],
  startTime: '2021-02-03T04:05:06.000Z',
  listen: '0.0.0.0:9501',
  maxLinkNumber: 10_000,
  effectiveMaxLinkNumber: 10_000,
  connectionNum: 12,
  sessionNum: 7,
  acceptCount: 100,
  doorRefusedCount: 0,
  closeCount: 88,
  requestCount: 3,
  pushCount: 4,
  ackCount: 2,
  pendingCount: null,
  workerNum: 4,
  taskNum: 2,
  crashLoops: [],
  warnings: [],
};

async function running(changes: Partial<ServerStatus> = {}) {
  const world = cliWorld({ columns: 80, env: { NO_COLOR: '1' } });
  await controlServer(world.path('Temp/websocket.sock'), {
    'server.status': [{ id: 1, ok: true, data: { ...STATUS, ...changes } }],
  });
  return world;
}

test('versions of the program have a line each while they differ', async () => {
  const versions = [
    { version: '1.2.3', processes: ['Master', 'TaskWorker.0'] },
    { version: '1.3.0', processes: ['Worker.0', 'Worker.1'] },
  ];
  const { stdout } = await (await running({ versions })).run('server', 'status');
  expect(stdout).toMatch(
    /│ version +│ 1\.2\.3: Master, TaskWorker\.0 +│\n│ +│ 1\.3\.0: Worker\.0, Worker\.1 +│/,
  );
  const one = await running({ versions: versions.slice(0, 1) });
  expect((await one.run('server', 'status')).stdout).toMatch(/│ version +│ 1\.2\.3 +│/);
});

test('status is a table that fits 80 columns', async () => {
  const { exitCode, stdout } = await (await running()).run('server', 'status', '-mode=websocket');
  expect(exitCode).toBe(0);
  const lines = stdout.trimEnd().split('\n');
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
  const items = lines.slice(3, -1).map((line) =>
    line
      .split('│')
      .map((cell) => cell.trim())
      .slice(1, 3),
  );
  expect(items.map(([item]) => item)).toEqual(
    Object.keys(serverStatusSchema.shape).filter(
      (key) => !['crashLoops', 'warnings', 'nodes', 'total', 'silentNodes', 'versions'].includes(key),
    ),
  );
  expect(Object.fromEntries(items)).toMatchObject({
    connectionNum: '12',
    pendingCount: '-',
    startTime: expect.stringMatching(/^2021-02-0\d \d\d:05:06$/),
  });
});

test('a process that dies again and again is warned of', async () => {
  const { stdout } = await (await running({ crashLoops: ['spush.websocket.Worker.1'] })).run(
    'server',
    'status',
  );
  expect(stdout).toMatch(/\nwarning: spush\.websocket\.Worker\.1 dies again and again .*\n$/);
});

test('what is wrong and stops nothing is warned of, once where several processes say the same', async () => {
  const warning = {
    trouble: 'log' as const,
    text: 'Log/x.log cannot be opened: EISDIR',
    since: '2021-02-03T04:05:06.000Z',
    failures: 3,
  };
  const of = (name: string) => ({ ...warning, process: `spush.websocket.${name}` });
  const later = { ...of('Worker.0'), since: '2021-02-03T04:05:07.000Z' };
  const other = { ...of('Master'), trouble: 'notify' as const, text: 'systemd is deaf' };
  const world = await running({ warnings: [later, of('Worker.1'), of('Master'), other] });
  const lines = (await world.run('server', 'status')).stdout.trimEnd().split('\n');
  expect(lines.slice(-2)).toEqual([
    expect.stringMatching(
      /^warning: log: Log\/x\.log cannot be opened: EISDIR \(spush\.websocket\.Worker\.0 and 2 more, since .*:06\)$/,
    ),
    expect.stringMatching(/^warning: notify: systemd is deaf \(spush\.websocket\.Master, since /),
  ]);
});

test('status --json has the keys of the protocol', async () => {
  const { stdout } = await (await running()).run('server', 'status', '--json');
  expect(JSON.parse(stdout)).toEqual(STATUS);
});

test('status of what runs in another home says where', async () => {
  const world = cliWorld();
  const { root } = world;
  const home = world.path('other home');
  await controlServer(`${home}/Temp/websocket.sock`, {
    ping: [
      {
        id: 1,
        ok: true,
        data: {
          pid: 4711,
          mode: 'websocket',
          background: true,
          environment: { env: 0, envSource: 'default', root, home, program: '/opt/other', store: 'a file' },
        },
      },
    ],
  });
  const { exitCode, stderr } = await world.run('server', 'status');
  expect(exitCode).toBe(3);
  expect(stderr).toBe(
    `mode websocket is not running: there is no control socket at ${world.path('Temp/websocket.sock')}; one runs as pid 4711 with SPUSH_ROOT=${root} SPUSH_HOME='${home}'\n`,
  );
});

test.skipIf(process.getuid?.() !== 0)(
  'root is not told what the server of another user says, as the copied command would run its files as root',
  async () => {
    const world = cliWorld();
    const home = world.path('home');
    const environment = {
      env: 0,
      envSource: 'default',
      root: world.root,
      home,
      program: '/opt/other',
      store: 'a file',
    };
    const socket = `${home}/Temp/websocket.sock`;
    const requests = await controlServer(socket, {
      ping: [{ id: 1, ok: true, data: { pid: 4711, mode: 'websocket', environment } }],
    });
    const told = '; one runs as pid 4711';
    expect((await world.run('server', 'status')).stderr).toContain(told);
    for (const path of [`${home}/Temp`, socket]) chownSync(path, 65_534, 65_534);
    const { exitCode, stderr } = await world.run('server', 'status');
    expect(exitCode).toBe(3);
    expect(stderr).toContain('; to start it: spush server start -d');
    expect(requests).toHaveLength(1);
  },
);

test('status of what does not run names mode, path and the next step', async () => {
  const world = cliWorld();
  expect(await world.run('server', 'status', '-mode=other')).toEqual({
    exitCode: 3,
    stdout: '',
    stderr: `mode other is not running: there is no control socket at ${world.path('Temp/other.sock')}; to start it: spush server start -d -mode=other (a service: systemctl start)\n`,
  });
});

const NODE = {
  node: 'web1',
  version: '1.2.3',
  startTime: '2021-02-03T04:05:06.000Z',
  maxLinkNumber: 100_000,
  connectionNum: 98_765,
  sessionNum: 87_654,
  acceptCount: 12_345_678,
  closeCount: 12_246_913,
  requestCount: 123_456_789,
  pushCount: 234_567_890,
  ackCount: 234_567_000,
  workerNum: 16,
  taskNum: 2,
};

test('several nodes have a table of their own: a row for each, one for all, in 80 columns', async () => {
  const nodes = [NODE, { ...NODE, node: 'web2' }];
  const total = { ...addUp(nodes) };
  const { stdout } = await (await running({ nodes, total, silentNodes: ['web3'] })).run('server', 'status');
  const lines = stdout.trimEnd().split('\n');
  for (const line of lines.slice(0, -1)) expect(line.length).toBeLessThanOrEqual(80);
  const rows = lines.filter((line) => /│ (web1|web2|total) /.test(line));
  expect(rows).toHaveLength(3);
  expect(rows[2]).toMatch(/│ total +│ 197530 +│ 175308 +│/);
  expect(lines.at(-1)).toBe('warning: no answer from web3; it is not in the total');
});
