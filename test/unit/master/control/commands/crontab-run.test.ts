import { describe, expect, it } from 'vitest';
import { crontabRun } from '../../../../../src/master/control/commands/crontab-run.js';

function setUp(running = true) {
  const calls: unknown[][] = [];
  const call = async (...args: unknown[]): Promise<never> => {
    calls.push(args);
    return { result: { users: 3 } } as never;
  };
  const run = crontabRun({
    scheduler: () => (running ? { peer: { call } } : undefined),
    taskSeconds: () => 300,
  });
  return { calls, run };
}

describe('crontab.run', () => {
  it('asks the scheduler and hands on its result', async () => {
    const { run, calls } = setUp();
    expect(await run({ name: 'Job', wait: false }, () => {})).toEqual({ name: 'Job', result: { users: 3 } });
    expect(calls).toEqual([['crontab.run', { name: 'Job', wait: false }, { deadlineMs: 5000 }]]);
  });

  it('waits longer than the job may take when it is to wait for its end', async () => {
    const { run, calls } = setUp();
    await run({ name: 'Job', wait: true }, () => {});
    expect(calls).toEqual([['crontab.run', { name: 'Job', wait: true }, { deadlineMs: 305_000 }]]);
  });

  it('says so when the scheduler is not there', async () => {
    await expect(setUp(false).run({ name: 'Job', wait: false }, () => {})).rejects.toMatchObject({
      code: 'CRON_NOT_RUNNING',
    });
  });
});
