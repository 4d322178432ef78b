import { describe, expect, it } from 'vitest';
import {
  CRASH_LOOP_PAUSE_MS,
  CRASHES_IN_A_ROW_MAX,
  CRASHES_MAX,
  type Death,
  HEALTHY_MS,
  RestartPolicy,
} from '../../../../src/master/supervisor/restart-policy.js';

import { momentOf } from '../../../../src/shared/base/clock.js';

const crash = (atMs: number, readyMs: number | null): Death => ({
  at: momentOf(atMs),
  readyMs,
  exitCode: 1,
  signal: null,
});

describe('RestartPolicy', () => {
  it('starts again at once after a death in good health', () => {
    const policy = new RestartPolicy();
    for (let hour = 0; hour < 20; hour += 1) {
      expect(policy.afterDeath(crash(hour * 3_600_000, 3_000_000))).toEqual({ delayMs: 0, crashLoop: false });
    }
  });

  it('waits longer each time a child dies while it starts, and calls it a crash loop in the end', () => {
    const policy = new RestartPolicy();
    let at = 0;
    const delays: number[] = [];
    for (let i = 0; i < CRASHES_IN_A_ROW_MAX - 1; i += 1) {
      const { delayMs, crashLoop } = policy.afterDeath(crash(at, null));
      expect(crashLoop).toBe(false);
      delays.push(delayMs);
      at += delayMs + 1000;
    }
    expect(delays).toEqual([0, 500, 1000, 2000, 4000]);
    expect(policy.afterDeath(crash(at, null))).toEqual({ delayMs: CRASH_LOOP_PAUSE_MS, crashLoop: true });
    at += CRASH_LOOP_PAUSE_MS;
    expect(policy.afterDeath(crash(at, null)).crashLoop).toBe(true);
  });

  it('calls it a crash loop when one dies again and again soon after each start', () => {
    const policy = new RestartPolicy();
    let last = { delayMs: 0, crashLoop: false };
    for (let i = 0; i < CRASHES_MAX; i += 1)
      last = policy.afterDeath(crash(i * (HEALTHY_MS + 100), HEALTHY_MS));
    expect(last.crashLoop).toBe(true);
  });

  it('trusts a child again that has been healthy for long', () => {
    const policy = new RestartPolicy();
    for (let i = 0; i < CRASHES_MAX; i += 1) policy.afterDeath(crash(i, null));
    expect(policy.afterDeath(crash(10_000_000, 9_000_000))).toEqual({ delayMs: 0, crashLoop: false });
  });

  it('does not blame a child at work that was killed from outside, or ended in order', () => {
    const policy = new RestartPolicy();
    for (let at = 0; at < 100; at += 1) {
      for (const end of [
        { exitCode: null, signal: 'SIGKILL' as const },
        { exitCode: null, signal: 'SIGTERM' as const },
        { exitCode: 0, signal: null },
      ]) {
        expect(policy.afterDeath({ at: momentOf(at), readyMs: 100, ...end })).toEqual({
          delayMs: 0,
          crashLoop: false,
        });
      }
    }
  });

  it('does count it when it was killed before it was ready: it may have hung', () => {
    const policy = new RestartPolicy();
    policy.afterDeath({ at: momentOf(0), readyMs: null, exitCode: null, signal: 'SIGKILL' });
    const second = policy.afterDeath({ at: momentOf(1), readyMs: null, exitCode: null, signal: 'SIGKILL' });
    expect(second.delayMs).toBe(500);
  });
});
