import { describe, expect, it } from 'vitest';
import { changeJob } from '../../../src/crontab/change-job.js';

function setUp() {
  const asked: string[] = [];
  const scheduler = {
    stopJob: async (name: string) => void asked.push(`stop ${name}`),
    resumeJob: async (name: string) => void asked.push(`resume ${name}`),
    resetJob: async (name: string, rule: string) => void asked.push(`reset ${name} ${rule}`),
    rows: () => [],
  };
  return { asked, scheduler };
}

describe('changeJob', () => {
  it('does what is asked, and answers all jobs', async () => {
    const { scheduler, asked } = setUp();
    expect(await changeJob(scheduler, { action: 'stop', name: 'A' })).toEqual({ jobs: [] });
    await changeJob(scheduler, { action: 'resume', name: 'B' });
    await changeJob(scheduler, { action: 'reset', name: 'C', rule: '@daily' });
    expect(asked).toEqual(['stop A', 'resume B', 'reset C @daily']);
  });

  it('needs a rule for a reset', async () => {
    const { scheduler, asked } = setUp();
    await expect(changeJob(scheduler, { action: 'reset', name: 'C' })).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      message: 'crontab: no rule was given for C',
    });
    expect(asked).toEqual([]);
  });
});
