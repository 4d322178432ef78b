import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { silentLog } from '../../../../src/platform/log/log.js';
import { SpushError } from '../../../../src/shared/base/errors.js';
import { createReadiness, type ReadinessCheck } from '../../../../src/worker/api/readiness.js';
import { CLOCK_STEPS_MS, FakeClock } from '../../../support/fake-clock.js';
import { ApiHarness } from './api-harness.js';

const ok: ReadinessCheck = { name: 'bus', check: async () => {} };

describe('readiness', () => {
  let clock: FakeClock;

  beforeEach(() => {
    vi.useFakeTimers();
    clock = new FakeClock();
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  const over = (...checks: ReadinessCheck[]) => createReadiness({ checks, clock, log: silentLog });

  test('is there when every check passes', async () => {
    expect(await over(ok, { ...ok, name: 'store' }).reasons()).toEqual([]);
    expect(await over().reasons()).toEqual([]);
  });

  test('is not there when one does not, for its reason', async () => {
    const store = {
      name: 'store',
      check: () => Promise.reject(new SpushError('STORE_UNAVAILABLE', 'the disk is full')),
    };
    const canary = {
      name: 'canary',
      check: () => {
        throw new Error('x'.repeat(1000));
      },
    };
    expect(await over(ok, store, canary).reasons()).toEqual([
      { check: 'store', reason: 'STORE_UNAVAILABLE: the disk is full' },
      { check: 'canary', reason: 'x'.repeat(200) },
    ]);
  });

  test('runs its checks once for all who ask, and its result serves for a second', async () => {
    const check = vi.fn(async () => {});
    const readiness = over({ name: 'store', check });
    await Promise.all(Array.from({ length: 100 }, () => readiness.reasons()));
    clock.advance(999);
    await readiness.reasons();
    expect(check).toHaveBeenCalledTimes(1);
    clock.advance(1);
    await readiness.reasons();
    expect(check).toHaveBeenCalledTimes(2);
  });

  test.each(CLOCK_STEPS_MS)('serves no longer than a second when the clock is set by %d ms', async (step) => {
    const check = vi.fn(async () => {});
    const readiness = over({ name: 'store', check });
    await readiness.reasons();
    clock.step(step);
    clock.advance(999);
    await readiness.reasons();
    expect(check).toHaveBeenCalledTimes(1);
    clock.advance(1);
    await readiness.reasons();
    expect(check).toHaveBeenCalledTimes(2);
  });

  test('does not wait for a check that hangs, nor begin it again', async () => {
    let end: () => void = () => {};
    const check = vi.fn(() => new Promise<void>((resolve) => (end = resolve)));
    const readiness = over(ok, { name: 'store', check });
    for (let n = 0; n < 3; n += 1) {
      const asked = readiness.reasons();
      void readiness.reasons();
      expect(vi.getTimerCount()).toBe(2);
      await vi.advanceTimersByTimeAsync(2000);
      expect(await asked).toEqual([{ check: 'store', reason: 'no result within 2000 ms' }]);
      clock.advance(1000);
    }
    expect(check).toHaveBeenCalledTimes(1);
    end();
    await vi.advanceTimersByTimeAsync(0);
    const asked = readiness.reasons();
    end();
    await vi.advanceTimersByTimeAsync(0);
    end();
    expect(await asked).toEqual([]);
    expect(check).toHaveBeenCalledTimes(2);
  });

  test('ends with the process', async () => {
    const readiness = over(ok);
    await readiness.reasons();
    readiness.stop();
    expect(await readiness.reasons()).toEqual([{ check: 'process', reason: 'stopping' }]);
  });
});

describe('/readyz', () => {
  let api: ApiHarness;
  let fault: Error | null;

  beforeEach(async () => {
    fault = null;
    api = await ApiHarness.open({
      checks: [
        {
          name: 'store',
          async check() {
            if (fault) throw fault;
          },
        },
      ],
    });
  });

  afterEach(() => api.close());

  test('is 503 with reasons and Retry-After while a check fails, and 200 after', async () => {
    expect((await api.call('/readyz')).status).toBe(200);
    fault = new SpushError('STORE_UNAVAILABLE', 'read-only file system');
    api.clock.advance(1000);
    const answer = await api.call('/readyz');
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('5');
    expect(answer.body).toEqual({
      code: 503,
      msg: 'not ready: store: STORE_UNAVAILABLE: read-only file system',
      data: { reasons: [{ check: 'store', reason: 'STORE_UNAVAILABLE: read-only file system' }] },
    });
    fault = null;
    api.clock.advance(1000);
    expect((await api.call('/readyz')).status).toBe(200);
    expect(api.logged.map((line) => line.split(' ')[0])).toEqual(['ready.lost', 'ready.again']);
  });

  test('tells strangers which check fails, and nothing of where', async () => {
    const stranger = { headers: { 'x-forwarded-for': '203.0.113.9' } };
    fault = new SpushError('STORE_UNAVAILABLE', 'the store /srv/x.db of root@10.0.0.5');
    const answer = await api.call('/readyz', stranger);
    expect(answer.body).toEqual({
      code: 503,
      msg: 'not ready: store: not ready',
      data: { reasons: [{ check: 'store', reason: 'not ready' }] },
    });
    expect(api.logged.join()).toContain('/srv/x.db');
  });

  test('is 503 while the process stops, which is healthy all the same', async () => {
    api.readiness.stop();
    expect((await api.call('/readyz')).body.msg).toBe('not ready: process: stopping');
    expect((await api.call('/healthz')).status).toBe(200);
  });
});
