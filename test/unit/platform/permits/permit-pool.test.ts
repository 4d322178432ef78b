import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentLog } from '../../../../src/platform/log/log.js';
import {
  PATIENCE_MS,
  PERMIT_BLOCK,
  PERMITS_IDLE_MAX,
  PermitPool,
} from '../../../../src/platform/permits/permit-pool.js';
import { type Deferred, deferred, turns } from '../../../support/deferred.js';

function setUp() {
  const asks: { n: number; answer: Deferred<number> }[] = [];
  const returned: number[] = [];
  const pool = new PermitPool(
    {
      want: (n) => {
        const answer = deferred<number>();
        asks.push({ n, answer });
        return answer.promise;
      },
      giveBack: (n) => returned.push(n),
    },
    silentLog,
  );
  const grant = async (n: number): Promise<void> => {
    asks.shift()?.answer.resolve(n);
    await turns(1);
  };
  return { pool, asks, returned, grant };
}

describe('PermitPool', () => {
  it('asks once for everybody who waits, and for a block besides', async () => {
    const { pool, asks, grant } = setUp();
    const first = pool.acquire();
    const second = pool.acquire();
    const third = pool.acquire();
    expect(asks.map(({ n }) => n)).toEqual([1 + PERMIT_BLOCK]);
    await grant(1 + PERMIT_BLOCK);
    expect(await Promise.all([first, second, third])).toEqual([true, true, true]);
    expect(pool.inUse).toBe(3);
    expect(pool.idle).toBe(PERMIT_BLOCK - 2);
    expect(asks).toEqual([]);
  });

  it('decides at once while it has idle permits', async () => {
    const { pool, asks, grant } = setUp();
    void pool.acquire();
    await grant(3);
    expect(pool.tryAcquire()).toBe(true);
    expect(await pool.acquire()).toBe(true);
    expect(pool.tryAcquire()).toBe(false);
    expect(asks).toEqual([]);
  });

  it('serves who came first, and refuses those it asked for in vain', async () => {
    const { pool, asks, grant } = setUp();
    const order: string[] = [];
    void pool.acquire().then((got) => order.push(`a ${got}`));
    await grant(0);
    expect(order).toEqual(['a false']);
    for (const name of ['b', 'c', 'd']) void pool.acquire().then((got) => order.push(`${name} ${got}`));
    await grant(0);
    // The question was asked for b alone; c and d came later and are asked for now.
    expect(order).toEqual(['a false', 'b false']);
    await grant(1);
    expect(order).toEqual(['a false', 'b false', 'c true', 'd false']);
    expect(asks).toEqual([]);
  });

  it('hands a freed permit to whoever waits', async () => {
    const { pool, grant } = setUp();
    void pool.acquire();
    await grant(1);
    const waiting = pool.acquire();
    pool.release();
    expect(await waiting).toBe(true);
    expect(pool.inUse).toBe(1);
  });

  it('keeps at most so many idle permits', async () => {
    const { pool, returned, grant } = setUp();
    const n = PERMITS_IDLE_MAX + 1;
    for (let i = 0; i < n; i += 1) void pool.acquire();
    await grant(1);
    await grant(n - 1);
    for (let i = 0; i < n; i += 1) pool.release();
    await turns();
    expect(pool.idle).toBe(PERMIT_BLOCK);
    expect(returned).toEqual([n - PERMIT_BLOCK]);
  });

  it('keeps nothing while permits are scarce', async () => {
    const { pool, asks, returned, grant } = setUp();
    void pool.acquire();
    await grant(10);
    pool.onScarce(true);
    await turns();
    expect(returned).toEqual([9]);
    pool.release();
    await turns();
    expect(returned).toEqual([9, 1]);
    const waiting = pool.acquire();
    expect(asks.map(({ n }) => n)).toEqual([1]);
    await grant(5);
    expect(await waiting).toBe(true);
    await turns();
    expect(returned).toEqual([9, 1, 4]);
    pool.onScarce(false);
    pool.release();
    expect(pool.idle).toBe(1);
  });

  it('sends a freed permit back while they are scarce even when somebody waits here: others wait elsewhere', async () => {
    const { pool, asks, returned, grant } = setUp();
    void pool.acquire();
    await grant(1);
    pool.onScarce(true);
    const waiting = pool.acquire();
    pool.release();
    await turns();
    expect(returned).toEqual([1]);
    expect(asks).toHaveLength(1);
    await grant(1);
    expect(await waiting).toBe(true);
  });

  it('refuses when the master cannot be asked', async () => {
    const { pool, asks } = setUp();
    const waiting = pool.acquire();
    asks.shift()?.answer.reject(new Error('gone'));
    expect(await waiting).toBe(false);
    expect(pool.inUse).toBe(0);
  });

  it('fails loudly when more is released than acquired', () => {
    expect(() => setUp().pool.release()).toThrow('assertion failed');
  });
});

describe('a PermitPool whose master is silent', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('refuses after a while, and books a grant that comes late', async () => {
    const { pool, asks } = setUp();
    const waiting = pool.acquire();
    await vi.advanceTimersByTimeAsync(PATIENCE_MS);
    expect(await waiting).toBe(false);
    expect(await pool.acquire()).toBe(false);
    asks[0]?.answer.resolve(5);
    await vi.advanceTimersByTimeAsync(0);
    expect(pool.idle).toBe(5);
    expect(await pool.acquire()).toBe(true);
  });
});
