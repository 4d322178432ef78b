/** `config show` and `config check` beside a running server. */
import { symlinkSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { type CliWorldOptions, cliWorld } from '../../support/cli-world.js';
import { controlServer } from '../../support/control-server.js';
import { tempFolder } from '../../support/temp-folder.js';

const PING = [{ id: 1, ok: true, data: { pid: 42, mode: 'websocket' } }];
const SAME = { source: 'default', from: 'default', apply: 'live', same: true, next: null, inFiles: null };
const KEYS = [
  { ...SAME, key: 'PUSHENV', value: 0, apply: 'restart' },
  { ...SAME, key: 'StopSeconds', value: 15 },
  {
    ...SAME,
    key: 'MaxLinkNumber',
    value: 20_000,
    source: 'config set',
    from: 'configSet',
    same: false,
    next: { value: 10_000, source: 'default', from: 'default' },
  },
  { ...SAME, key: 'db.password', value: '***', source: 'SPUSH_DB_PASSWORD', from: 'environment', same: true },
];
const WHY = '20000, set with "spush config set"; a reload goes back to 10000';

async function running(options: CliWorldOptions = {}, answer: object = {}) {
  const world = cliWorld({ env: { NO_COLOR: '1' }, patience: { answerMs: 1000 }, ...options });
  const data = { pid: 42, version: '9.9.9', env: 0, root: world.root, keys: KEYS, fault: null, ...answer };
  const requests = await controlServer(world.path('Temp/websocket.sock'), {
    ping: PING,
    'config.show': [{ id: 1, ok: true, data }],
  });
  return { world, requests };
}

test('show says which values of the running server differ, and why', async () => {
  const { world, requests } = await running();
  const { exitCode, stdout } = await world.run('config', 'show');
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(
    new RegExp(`\\nthe running server \\(mode websocket, pid 42\\) has:\\n  MaxLinkNumber: ${WHY}\\n$`),
  );
  const { nonce, digests } = requests[1]?.args as { nonce: string; digests: Record<string, string> };
  expect(nonce.length).toBeGreaterThan(15);
  expect(digests).toHaveProperty('MaxLinkNumber');
  expect(digests).toHaveProperty('PUSHENV');
});

test('show of one key has what the running server has beside it', async () => {
  const { world } = await running();
  const { stdout } = await world.run('config', 'show', 'MaxLinkNumber');
  expect(stdout).toMatch(/│ MaxLinkNumber +│ 10000 +│ default +│ live +│ 20000 +│/);
  expect(stdout).toContain(`  MaxLinkNumber: ${WHY}\n`);
  expect((await world.run('config', 'show', 'StopSeconds')).stdout).toMatch(
    /│ 15 s +│\n.*\nthe running server \(mode websocket, pid 42\) has the same\n$/,
  );
});

test('show --json has the same facts, every key in the same shape', async () => {
  const { world } = await running();
  const { stdout } = await world.run('config', 'show', '--json');
  const { keys, running: server } = JSON.parse(stdout) as { keys: { key: string }[]; running: object };
  expect(server).toEqual({
    state: 'answered',
    pid: 42,
    version: '9.9.9',
    env: 0,
    root: world.root,
    reason: null,
    fault: null,
    hooks: null,
  });
  expect(new Set(keys.map((row) => Object.keys(row).join()))).toHaveLength(1);
  expect(keys.find(({ key }) => key === 'MaxLinkNumber')).toMatchObject({
    value: 10_000,
    running: { value: 20_000, source: 'config set', same: false, why: 'configSet', needs: null, text: WHY },
  });
  expect(keys.find(({ key }) => key === 'StopSeconds')).toMatchObject({ running: { why: null, text: null } });
});

test('check says it too, and what stands in the way of a reload', async () => {
  const { world } = await running({}, { fault: { kind: 'refused', text: 'the configuration has 1 fault' } });
  const { exitCode, stdout } = await world.run('config', 'check');
  expect(exitCode).toBe(0);
  expect(stdout).toContain(`\n  MaxLinkNumber: ${WHY}\n`);
  expect(stdout).toContain(
    'warning: the running server (mode websocket, pid 42) would refuse a reload: the configuration has 1 fault\n',
  );
  expect(JSON.parse((await world.run('config', 'check', '--json')).stdout)).toMatchObject({
    ok: true,
    running: { state: 'answered', differences: [{ key: 'MaxLinkNumber', why: 'configSet', text: WHY }] },
  });
});

test('a shell in which the configuration is faulty still learns what runs, exit 78', async () => {
  const { world } = await running({ env: { NO_COLOR: '1', SPUSH_PORT: 'x' } });
  const shown = await world.run('config', 'show');
  expect([shown.exitCode, shown.stderr]).toEqual([78, expect.stringContaining('Port is "x"')]);
  expect(shown.stdout).toMatch(/│ db\.password +│ \*\*\* +│ SPUSH_DB_PASSWORD +│/);
  const checked = await world.run('config', 'check');
  expect([checked.exitCode, checked.stderr]).toEqual([78, expect.stringContaining('Port is "x"')]);
  expect(checked.stdout).toBe('');
  expect(checked.stderr).toMatch(/the same files are right: it would accept a reload\n$/);
  const json = JSON.parse((await world.run('config', 'show', '--json')).stdout) as { keys: object[] };
  expect(json).toMatchObject({ faults: [{ where: 'SPUSH_PORT' }], running: { state: 'answered' } });
  const message = expect.stringContaining('Port is "x"');
  const detail = { faults: [{ where: 'SPUSH_PORT' }] };
  expect(json).toMatchObject({ error: { code: 'CONFIG_INVALID', message, exitCode: 78, detail } });
  expect(json.keys[0]).toEqual({
    file: null,
    key: 'PUSHENV',
    value: null,
    source: null,
    apply: 'restart',
    unit: null,
    running: { value: 0, source: 'default', same: true, why: null, needs: null, text: null },
  });
});

test('own jobs and tasks that a reload would bring are told, also where all keys are the same', async () => {
  const hooks = { jobs: { added: ['Night'] }, tasks: { removed: ['report'] } };
  const { world } = await running({}, { keys: [], hooks });
  const text =
    'warning: own jobs and tasks of bootstrap.ts do not count in the running server (mode websocket, pid 42) yet: ' +
    'jobs: added Night; tasks: removed report: needs spush server reload\n' +
    'the running server (mode websocket, pid 42) has the same keys\n';
  for (const action of ['show', 'check']) expect((await world.run('config', action)).stdout).toContain(text);
  expect(JSON.parse((await world.run('config', 'check', '--json')).stdout)).toMatchObject({
    running: { hooks },
  });
});

test('a faulty shell whose variables are those of the start differs in none of them; faults are told once', async () => {
  const inFiles = { value: 9501, source: 'default', from: 'default' };
  const of = { ...SAME, from: 'environment', inFiles };
  const port = { ...of, key: 'Port', value: 22310, source: 'SPUSH_PORT' };
  const links = { ...of, key: 'MaxLinkNumber', value: 7, source: 'SPUSH_MAX_LINK_NUMBER', same: false };
  const env = {
    NO_COLOR: '1',
    SPUSH_PORT: '22310',
    SPUSH_MAX_LINK_NUMBER: '8',
    SPUSH_STOP_SECONDS: 'x',
  };
  const { world, requests } = await running({ env }, { keys: [port, links] });
  const { stderr } = await world.run('config', 'check');
  expect(stderr).not.toContain('Port: 22310');
  expect(stderr).toContain('MaxLinkNumber: 7, as SPUSH_MAX_LINK_NUMBER was set where it was started');
  const { digests } = requests[1]?.args as { digests: Record<string, string> };
  expect(Object.keys(digests)).toEqual(expect.arrayContaining(['MaxLinkNumber', 'Port']));
  expect(digests).not.toHaveProperty('WorkerNum');
  const fault = { kind: 'refused', text: stderr.split('\nwarning')[0]?.split('\nthe running')[0] };
  const again = await running({ env }, { keys: [], fault });
  expect((await again.world.run('config', 'check')).stderr).toContain(
    'would refuse a reload for the same faults\n',
  );
});

test.each([
  ['answers nothing', {}, /did not answer ping in 50 ms/],
  [
    'is of an earlier version',
    {
      ping: PING,
      'config.show': [
        { id: 1, ok: false, error: { code: 'CONTROL_COMMAND_UNKNOWN', message: 'no config.show' } },
      ],
    },
    /no config\.show/,
  ],
])('a server that %s breaks neither command', async (_what, answers, reason) => {
  const world = cliWorld({ env: { NO_COLOR: '1' }, patience: { answerMs: 50 } });
  await controlServer(world.path('Temp/websocket.sock'), answers);
  for (const action of ['show', 'check']) {
    const { exitCode, stdout, stderr } = await world.run('config', action);
    expect([exitCode, stderr]).toEqual([0, '']);
    const [, said = ''] = /\nwarning: the running server could not be asked: (.*)\n$/.exec(stdout) ?? [];
    expect(said).toMatch(reason);
    const json = JSON.parse((await world.run('config', action, '--json')).stdout) as { running: object };
    expect(json.running).toMatchObject({ state: 'noAnswer', reason: expect.stringMatching(reason) });
  }
});

test('a server with its files elsewhere is told', async () => {
  const { world } = await running({}, { root: '/elsewhere' });
  const { stdout } = await world.run('config', 'check');
  expect(stdout).toContain(`has its files in /elsewhere, this shell in ${world.root}`);
});

test('a server with its files in the same folder by another path is not taken for one elsewhere', async () => {
  const link = path.join(tempFolder(), 'current');
  const { world } = await running({}, { root: link });
  symlinkSync(world.root, link);
  expect((await world.run('config', 'check')).stdout).not.toContain('has its files in');
});
