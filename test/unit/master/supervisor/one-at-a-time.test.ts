import { describe, expect, it } from 'vitest';
import { OneAtATime } from '../../../../src/master/supervisor/one-at-a-time.js';
import { deferred } from '../../../support/deferred.js';

describe('OneAtATime', () => {
  it('refuses a second one while the first is under way, and takes the next when it is over', async () => {
    const turn = new OneAtATime();
    const first = deferred();
    const running = turn.run('a reload', () => first.promise);
    await expect(turn.run('process kill', async () => 1)).rejects.toMatchObject({
      code: 'RELOAD_RUNNING',
      message: 'process kill has to wait: a reload is under way; try again when it is done',
    });
    first.resolve();
    await running;
    expect(await turn.run('process kill', async () => 1)).toBe(1);
  });

  it('is free again after a failure', async () => {
    const turn = new OneAtATime();
    await expect(turn.run('a reload', () => Promise.reject(new Error('x')))).rejects.toThrow('x');
    expect(await turn.run('a reload', async () => 2)).toBe(2);
  });
});
