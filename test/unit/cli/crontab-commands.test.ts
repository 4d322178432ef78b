import { describe, expect, test } from 'vitest';
import type { CrontabRow } from '../../../src/shared/protocol/control-commands.js';
import { cliWorld } from '../../support/cli-world.js';
import { controlServer } from '../../support/control-server.js';

const NEVER_RAN: CrontabRow = {
  taskName: 'PushSystemNoticeMsg',
  taskRule: '0 0-23/3 * * *',
  taskRunTimes: 0,
  taskNextRunTime: '2021-02-03T04:06:00.000Z',
  taskCurrentRunTime: null,
  isStop: 0,
  lastResult: null,
  lastDurationMs: null,
  skipped: 0,
};
const FAILED: CrontabRow = {
  ...NEVER_RAN,
  taskName: 'PushCommentMsg',
  taskRule: '*/6 * * * *',
  taskRunTimes: 12_345,
  taskNextRunTime: null,
  taskCurrentRunTime: '2021-02-03T04:00:00.000Z',
  isStop: 1,
  lastResult: 'the store does not answer',
  lastDurationMs: 17,
  skipped: 2,
};

async function running(columns?: number, jobs: readonly CrontabRow[] = [NEVER_RAN, FAILED]) {
  const world = cliWorld({ env: { NO_COLOR: '1' }, ...(columns === undefined ? {} : { columns }) });
  const answer = [{ id: 1, ok: true, data: { jobs } }];
  const requests = await controlServer(world.path('Temp/websocket.sock'), {
    ping: [{ id: 1, ok: true, data: { pid: 1, mode: 'websocket' } }],
    'crontab.show': answer,
    'crontab.stop': answer,
    'crontab.resume': answer,
    'crontab.reset': answer,
  });
  return { world, requests };
}

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

describe('crontab show', () => {
  test('has the columns of old, then the last result; what never was is a dash', async () => {
    const { world } = await running();
    const { exitCode, stdout } = await world.run('crontab', 'show', '-mode=websocket');
    expect(exitCode).toBe(0);
    const [heading, never, failed] = cells(stdout);
    expect(heading?.join(' ')).toBe(
      'taskName taskRule taskRunTimes taskNextRunTime taskCurrentRunTime isStop lastResult lastDurationMs skipped',
    );
    const date = expect.stringMatching(/^2021-02-03 \d\d:0[06]:00$/);
    expect(never).toEqual(['PushSystemNoticeMsg', '0 0-23/3 * * *', '0', date, '-', '0', '-', '-', '0']);
    expect(failed).toEqual([
      'PushCommentMsg',
      '*/6 * * * *',
      '12345',
      '-',
      date,
      '1',
      'the store does not answer',
      '17',
      '2',
    ]);
  });

  test('fits 80 columns without breaking a name or a rule, and still says what failed', async () => {
    const { world } = await running(80);
    const { stdout } = await world.run('crontab', 'show');
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    const [heading, never] = cells(stdout);
    expect(heading).toEqual(['taskName', 'taskRule', 'runs', 'next', 'current', 'stop']);
    expect(never?.slice(0, 2)).toEqual(['PushSystemNoticeMsg', '0 0-23/3 * * *']);
    expect(stdout).toMatch(/┘\nPushCommentMsg: the store does not answer\n$/);
  });

  test('without jobs says so', async () => {
    const { world } = await running(80, []);
    expect((await world.run('crontab', 'show')).stdout).toBe('no crontab job is registered\n');
  });

  test('--json has the keys of the protocol', async () => {
    const { world } = await running();
    expect(JSON.parse((await world.run('crontab', 'show', '--json')).stdout)).toEqual({
      jobs: [NEVER_RAN, FAILED],
    });
  });
});

describe('what changes a job prints one line, then the table', () => {
  test.each([
    [['stop', '--name=PushCommentMsg'], 'crontab: PushCommentMsg is stop success.', {}],
    [['resume', '-taskName=PushCommentMsg'], 'crontab: PushCommentMsg resume success.', {}],
    [
      ['reset', '--name=PushCommentMsg', '--rule=*/5 * * * *'],
      'crontab: PushCommentMsg reset success',
      { rule: '*/5 * * * *' },
    ],
    [
      ['reset', '--taskName', 'PushCommentMsg', '--taskRule', '*/5 * * * *'],
      'crontab: PushCommentMsg reset success',
      { rule: '*/5 * * * *' },
    ],
  ])('%j', async (argv, text, args) => {
    const { world, requests } = await running();
    const { exitCode, stdout, stderr } = await world.run('crontab', ...argv);
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout.startsWith(`${text}\n┌`)).toBe(true);
    expect(cells(stdout)).toHaveLength(3);
    expect(requests.slice(1)).toEqual([
      { cmd: `crontab.${argv[0]}`, args: { name: 'PushCommentMsg', ...args } },
    ]);
  });

  test.each([
    [['stop'], 'the name of the job must be given: spush crontab stop --name=JOB'],
    [['resume', '--name='], 'the name of the job must be given: spush crontab resume --name=JOB'],
    [['reset', '--rule=* * * * *'], 'the name of the job must be given: spush crontab reset --name=JOB'],
    [['reset', '--name=X'], 'the rule of the job must be given: spush crontab reset --name=X --rule='],
    [['reset', '--name=X', '--rule= '], 'the rule of the job must be given'],
    [
      ['reset', '--name=X', '--rule', '*/5', '*', '*', '*', '*'],
      'must be in quotes, or the shell makes several words of it: spush crontab reset --name=X --rule="*/5 * * * *"',
    ],
    [
      ['reset', '--name=X', '--rule=*', 'bin', 'conf', 'bin', 'conf'],
      'must be in quotes, or the shell makes several words of it: spush crontab reset --name=X --rule="*/5 * * * *"',
    ],
    [['reset', '--name=X', '--rule=5', '4'], 'spush crontab reset --name=X --rule="*/5 * * * *"'],
    [['reset', 'X', '5', '4', '*', '*', 'MON'], 'spush crontab reset --name=X --rule="5 4 * * MON"'],
    [['reset', '--name=X', '5', '4', '*', '*', '1'], 'spush crontab reset --name=X --rule="5 4 * * 1"'],
    [['reset', 'X', '--rule=5 4 * * *'], 'a job is named by spush crontab reset --name=X --rule="5 4 * * *"'],
    [['reset', '--name=X', '--rule=*/5 * * * *', 'foo'], "spush crontab reset: unexpected word 'foo'\n"],
    [['reset', 'X', '5', '4', '*', '*', 'mon'], 'spush crontab reset --name=X --rule="5 4 * * mon"'],
    [['run', 'X'], "unexpected word 'X'; a job is named by spush crontab run --name=X"],
    [['stop', '--name=X', 'Y'], "spush crontab stop: unexpected word 'Y'\n"],
    [['rule', 'X', '5', '4', '*', '*', '1'], "'rule' is not a known action of crontab. Did you mean reset?"],
    [['stop', '--name=X', '--rule=x'], '-rule is not a known option of crontab stop.'],
  ])('%j is wrong', async (argv, text) => {
    const { world, requests } = await running();
    const { exitCode, stdout, stderr } = await world.run('crontab', ...argv);
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toContain(text);
    expect(requests).toEqual([]);
  });
});

test.each([
  ['*', true],
  ['* * * *', false],
  ['@dayly', false],
])('a rule %j that the master refuses: whether it may lack its quotes', async (rule, hint) => {
  const world = cliWorld();
  const error = { code: 'CRON_RULE_INVALID', message: 'refused' };
  await controlServer(world.path('Temp/websocket.sock'), {
    ping: [{ id: 1, ok: true, data: { pid: 1, mode: 'websocket' } }],
    'crontab.reset': [{ id: 1, ok: false, error }],
  });
  const { exitCode, stderr } = await world.run('crontab', 'reset', '--name=X', `--rule=${rule}`);
  const quotes = '; the rule must be in quotes: spush crontab reset --name=X --rule="*/5 * * * *"';
  expect([exitCode, stderr]).toEqual([1, `refused${hint ? quotes : ''}\n`]);
});
