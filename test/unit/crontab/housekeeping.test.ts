import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  HOUSEKEEPING_EVERY_MS,
  HOUSEKEEPING_FIRST_WITHIN_MS,
  Housekeeping,
} from '../../../src/crontab/housekeeping.js';
import { recordedLog } from '../../support/recorded-log.js';

describe('Housekeeping', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('works first at a random moment of the first minute, then every ten minutes, failures or not', async () => {
    const work = vi.fn(async () => Promise.reject(new Error('no TaskWorker')));
    const log = recordedLog();
    const housekeeping = new Housekeeping({ work, random: () => 0.5, log });
    housekeeping.start();
    await vi.advanceTimersByTimeAsync(HOUSEKEEPING_FIRST_WITHIN_MS / 2 - 1);
    expect(work).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(work).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(2 * HOUSEKEEPING_EVERY_MS);
    expect(work).toHaveBeenCalledTimes(3);
    expect(log.lines).toHaveLength(3);
    housekeeping.stop();
    await vi.advanceTimersByTimeAsync(2 * HOUSEKEEPING_EVERY_MS);
    expect(work).toHaveBeenCalledTimes(3);
  });
});
