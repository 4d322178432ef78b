/** Every command of the original's manual, typed with its dashes as there, and what it asks the master for. */
import { describe, expect, test } from 'vitest';
import { GROUPS } from '../../../src/cli/program.js';
import { cliWorld } from '../../support/cli-world.js';
import { controlServer } from '../../support/control-server.js';

const REFUSAL = [{ id: 1, ok: false, error: { code: 'NOT_FOUND', message: 'asked' } }];

const MANUAL: readonly [line: string, command: string, args: object][] = [
  ['server status -mode=websocket', 'server.status', {}],
  ['server reload -mode=websocket', 'server.reload', {}],
  ['process show', 'process.show', {}],
  ['process show -d -mode=websocket', 'process.show', {}],
  ['process kill --pid=4711 -mode=websocket', 'process.kill', { pid: 4711, force: false }],
  ['process kill --pid=4711 -f -mode=websocket', 'process.kill', { pid: 4711, force: true }],
  ['process kill --group=TaskWorker', 'process.kill', { group: 'TaskWorker', force: false }],
  [
    'process kill --group=spush.websocket.Worker -f',
    'process.kill',
    { group: 'spush.websocket.Worker', force: true },
  ],
  ['process kill --pid 4711 -f=false', 'process.kill', { pid: 4711, force: false }],
  ['process killAll -mode=websocket', 'process.kill', { all: true, force: false }],
  ['process killAll -f -mode=websocket', 'process.kill', { all: true, force: true }],
  ['crontab show -mode=websocket', 'crontab.show', {}],
  ['crontab stop --name=PushCommentMsg -mode=websocket', 'crontab.stop', { name: 'PushCommentMsg' }],
  ['crontab stop --taskName=PushCommentMsg', 'crontab.stop', { name: 'PushCommentMsg' }],
  ['crontab resume --name=PushCommentMsg -mode=websocket', 'crontab.resume', { name: 'PushCommentMsg' }],
  [
    'crontab run --name=PushCommentMsg -mode=websocket',
    'crontab.run',
    { name: 'PushCommentMsg', wait: false },
  ],
  [
    'crontab reset --name=PushCommentMsg --rule=@hourly',
    'crontab.reset',
    { name: 'PushCommentMsg', rule: '@hourly' },
  ],
  [
    'crontab reset --taskName=PushCommentMsg --taskRule=@daily',
    'crontab.reset',
    { name: 'PushCommentMsg', rule: '@daily' },
  ],
  ['task status -mode=websocket', 'task.status', {}],
  ['task reboot', 'task.reboot', { force: false }],
  ['task reboot -f -mode=websocket', 'task.reboot', { force: true }],
  ['config set MaxLinkNumber 20000', 'config.set', { key: 'MaxLinkNumber', value: '20000' }],
  ['---mode=websocket task --json status', 'task.status', {}],
];

test.each(MANUAL)('%s', async (line, command, args) => {
  const world = cliWorld();
  const requests = await controlServer(world.path('Temp/websocket.sock'), {
    ping: [{ id: 1, ok: true, data: { pid: 1, mode: 'websocket' } }],
    [command]: REFUSAL,
  });
  const error = { code: 'NOT_FOUND', message: 'asked', exitCode: 1 };
  expect(await world.run(...line.split(' '))).toEqual({
    exitCode: 1,
    ...(line.includes('--json')
      ? { stdout: `${JSON.stringify({ error })}\n`, stderr: '' }
      : { stdout: '', stderr: 'asked\n' }),
  });
  expect(requests.at(-1)).toEqual({ cmd: command, args });
});

test.each(MANUAL)('%s: not running is exit 3', async (line) => {
  const { exitCode, stdout, stderr } = await cliWorld().run(...line.split(' '));
  const [told, other] = line.includes('--json') ? [stdout, stderr] : [stderr, stdout];
  expect([exitCode, other]).toEqual([3, '']);
  expect(told).toContain('mode websocket is not running: there is no control socket at ');
});

describe('help', () => {
  const ACTIONS = GROUPS.flatMap((group) => group.actions.map((action) => ({ group, action })));

  test.each(
    ACTIONS.map(({ group, action }) => [`${group.name} ${action.name}`]),
  )('of %s lists its options and loads nothing', async (words) => {
    const [groupName = '', actionName = ''] = words.split(' ');
    const world = cliWorld({ files: { 'bootstrap.ts': 'throw new Error("loaded");' } });
    const { exitCode, stdout, stderr } = await world.run(groupName, actionName, '-h');
    expect([exitCode, stderr]).toEqual([0, '']);
    const found = ACTIONS.find(({ group, action }) => group.name === groupName && action.name === actionName);
    for (const { label } of found?.action.options ?? []) expect(stdout).toContain(`\n  ${label} `);
    const general = (await world.run('-h')).stdout;
    expect(general).toContain(`\n  ${groupName} `);
    const groupHelp = (await world.run(groupName, '-h')).stdout;
    expect(groupHelp).toMatch(new RegExp(`\nActions:\n[\\s\\S]* {2}${actionName} `));
  });

  test('says which words an action takes', async () => {
    expect((await cliWorld().run('config', 'set', '-h')).stdout).toContain(
      'spush config set KEY VALUE [--opts ...]',
    );
  });
});

test('a master that is there but does not answer is exit 4, and is told nothing to do', async () => {
  const world = cliWorld({ patience: { answerMs: 50 } });
  const requests = await controlServer(world.path('Temp/websocket.sock'), {});
  for (const [line, command] of MANUAL) {
    expect(await world.run(...line.split(' '))).toMatchObject({ exitCode: 4 });
    // It may go on later: then it must not do what nobody waits for any more.
    const asksOnly = /(show|status)$/.test(command);
    expect(requests.at(-1)).toEqual({ cmd: asksOnly ? command : 'ping', args: {} });
  }
});
