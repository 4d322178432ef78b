import { describe, expect, it } from 'vitest';
import {
  crontabReset,
  crontabResume,
  crontabShow,
  crontabStop,
} from '../../../../../src/master/control/commands/crontab-jobs.js';

function setUp() {
  const calls: unknown[][] = [];
  const call = async (...args: unknown[]): Promise<never> => {
    calls.push(args);
    return { jobs: [] } as never;
  };
  return { calls, scheduler: () => ({ peer: { call } }) };
}

describe('the commands of crontab', () => {
  it('ask the scheduler', async () => {
    const { calls, scheduler } = setUp();
    const quiet = (): void => {};
    expect(await crontabShow(scheduler)({}, quiet)).toEqual({ jobs: [] });
    await crontabStop(scheduler)({ name: 'Job' }, quiet);
    await crontabResume(scheduler)({ name: 'Job' }, quiet);
    await crontabReset(scheduler)({ name: 'Job', rule: '* * * * *' }, quiet);
    const deadline = { deadlineMs: 5000 };
    expect(calls).toEqual([
      ['crontab.show', {}, deadline],
      ['crontab.change', { action: 'stop', name: 'Job' }, deadline],
      ['crontab.change', { action: 'resume', name: 'Job' }, deadline],
      ['crontab.change', { action: 'reset', name: 'Job', rule: '* * * * *' }, deadline],
    ]);
  });

  it('say so when the scheduler is not there', async () => {
    await expect(crontabShow(() => undefined)({}, () => {})).rejects.toMatchObject({
      code: 'CRON_NOT_RUNNING',
    });
  });
});
