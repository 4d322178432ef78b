import { describe, expect, test } from 'vitest';
import { GROUPS } from '../../../src/cli/program.js';
import { cliWorld } from '../../support/cli-world.js';

/** Any command that loads it fails. */
const POISONED = {
  'bootstrap.ts': 'throw new Error("loaded");',
  'conf/SystemConf.ts': 'throw new Error("loaded");',
};

describe('help', () => {
  test.each([[[]], [['-h']], [['--help']], [['help']]])('for %j is about all commands', async (argv) => {
    const { exitCode, stdout, stderr } = await cliWorld({ files: POISONED }).run(...argv);
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toContain('Usage:\n  spush COMMAND -h\nCommands:\n  config ');
  });

  test.each([
    [['server', '-h']],
    [['server', 'help']],
    [['help', 'server']],
    [['-h', 'server']],
  ])('for %j is about the actions of server', async (argv) => {
    const { exitCode, stdout } = await cliWorld({ files: POISONED }).run(...argv);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /^Start, stop .*\nUsage:\n {2}spush server ACTION \[--opts \.\.\.\]\nActions:\n {2}start +start/,
    );
    expect(stdout).toMatch(/\nOptions:\n(.*\n)* {2}-force /);
  });

  test('for an action lists its own options', async () => {
    const { stdout } = await cliWorld({ files: POISONED }).run('server', 'status', '--help');
    expect(stdout).toContain('spush server status [--opts ...]');
    expect(stdout).not.toContain('-force');
  });

  test('does not excuse a wrong word', async () => {
    expect(await cliWorld().run('servr', '-h')).toMatchObject({ exitCode: 2, stdout: '' });
  });
});

describe('what is not known is refused with the nearest', () => {
  test.each([
    [['servr', 'start'], "'servr' is not a known command. Did you mean server?"],
    [
      ['xyzzy'],
      "'xyzzy' is not a known command. Known: server, process, crontab, task, user, message, config",
    ],
    [['server', 'strat'], "'strat' is not a known action of server. Did you mean start?"],
    [['server', 'constructor'], "'constructor' is not a known action of server."],
    [['server', 'Start'], "'Start' is not a known action of server. Did you mean start"],
    [['server', 'start', '-prot=1'], '-prot is not a known option of server start. Did you mean port?'],
    [['server', 'status', '-force'], '-force is not a known option of server status.'],
    [['server', 'start', '-df'], '-df is not a known option of server start.'],
    [['server', 'start', 'now'], "spush server start: unexpected word 'now'"],
    [['start'], "'start' is not a known command. Did you mean spush server start?"],
    [['status'], 'Did you mean spush server status or spush task status?'],
    [['version'], 'Did you mean spush --version?'],
    [['config', 'get', 'Port'], 'Did you mean show? See spush config -h'],
    [['crontab', 'start', '--name=x'], 'Did you mean resume?'],
    [['task', 'restart'], 'Did you mean reboot?'],
    [['log', 'rotate'], 'Did you mean reopen?'],
    [['process', 'kill', '-9'], 'a signal has no number here: -f kills at once'],
    [['server', 'start', '-deamon'], 'Did you mean daemon?'],
    [['server', 'start', 'd'], "unexpected word 'd'; did you mean -d?"],
    [['server', 'stop', 'force'], "unexpected word 'force'; did you mean -force?"],
    [['server', 'start', '-p9502'], '-p9502 is not a known option of server start. Did you mean -p=9502?'],
    [['server', 'start', '-d', 'false'], "spush server start: unexpected word 'false'"],
    [['server', 'start', '-d=perhaps'], 'expected true or false'],
    [['server', 'stop', '-mode'], '-mode needs a value'],
    [['server', 'start', '--set', 'Port'], '--set takes KEY=VALUE, e.g. --set WorkerNum=2'],
    [['crontab', 'run'], 'the name of the job must be given'],
  ])('%j', async (argv, text) => {
    const { exitCode, stdout, stderr } = await cliWorld().run(...argv);
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toContain(text);
  });

  test('a command without its action says which there are', async () => {
    const { exitCode, stdout, stderr } = await cliWorld().run('server');
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toContain('spush server needs an action: start, stop, reload, restart, status');
    expect(stderr).toContain('Actions:');
  });

  test('a mode that cannot be a file name', async () => {
    expect(await cliWorld().run('server', 'status', '-mode=../x')).toMatchObject({ exitCode: 2, stdout: '' });
  });
});

describe('colours', () => {
  const ESCAPE = '\u001b[';

  test('are for a terminal', async () => {
    expect((await cliWorld({ columns: 80 }).run('-h')).stdout).toContain(ESCAPE);
    expect((await cliWorld({ columns: 80 }).run('servr')).stderr).toContain(ESCAPE);
    expect((await cliWorld().run('-h')).stdout).not.toContain(ESCAPE);
  });

  test('are left out with NO_COLOR', async () => {
    const world = cliWorld({ columns: 80, env: { NO_COLOR: '1' } });
    expect((await world.run('-h')).stdout).not.toContain(ESCAPE);
    expect((await world.run('servr')).stderr).not.toContain(ESCAPE);
  });
});

test('--version prints the version', async () => {
  expect(await cliWorld().run('--version')).toMatchObject({ exitCode: 0, stdout: '1.2.3\n' });
});

test('an option means the same kind of thing in every action', () => {
  const kinds = new Map<string, string>();
  for (const option of GROUPS.flatMap(({ actions }) => actions).flatMap(({ options }) => options)) {
    expect(kinds.get(option.name) ?? option.kind).toBe(option.kind);
    kinds.set(option.name, option.kind);
  }
});
