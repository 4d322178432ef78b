/** Both sides of the permit protocol over channels that deliver in order, but whenever they like. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PermitLedger } from '../../../../src/master/permits/permit-ledger.js';
import { silentLog } from '../../../../src/platform/log/log.js';
import { PermitPool } from '../../../../src/platform/permits/permit-pool.js';
import { turns } from '../../../support/deferred.js';

class World {
  readonly ledger: PermitLedger<Worker>;
  readonly workers: Worker[] = [];
  recalling = false;

  constructor(limit: number, count: number) {
    this.ledger = new PermitLedger<Worker>(limit, {
      announce: (scarce) => {
        for (const worker of this.workers) worker.toWorker.push(() => worker.pool.onScarce(scarce));
      },
      awaitRecall: () => {
        this.recalling = true;
      },
    });
    for (let i = 0; i < count; i += 1) this.add();
  }

  add(): void {
    const worker = new Worker(this.ledger);
    this.workers.push(worker);
    if (this.ledger.scarce) worker.toWorker.push(() => worker.pool.onScarce(true));
  }

  get inUse(): number {
    return this.workers.reduce((sum, { pool }) => sum + pool.inUse, 0);
  }

  /** Delivers everything, until nothing is on its way. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; ) {
      const busy = this.workers.some((worker) => worker.deliver());
      await turns(1);
      quiet = busy ? 0 : quiet + 1;
    }
  }
}

class Worker {
  readonly toMaster: (() => void)[] = [];
  readonly toWorker: (() => void)[] = [];
  readonly pool: PermitPool;
  readonly outcomes: boolean[] = [];
  asked = 0;

  constructor(ledger: PermitLedger<Worker>) {
    this.pool = new PermitPool(
      {
        want: (n) =>
          new Promise((resolve) => {
            this.toMaster.push(() => {
              ledger.want(this, n, (granted) => this.toWorker.push(() => resolve(granted)));
            });
          }),
        giveBack: (n) => this.toMaster.push(() => ledger.giveBack(this, n)),
      },
      silentLog,
    );
  }

  acquire(): void {
    this.asked += 1;
    void this.pool.acquire().then((got) => this.outcomes.push(got));
  }

  /** Delivers one message each way; answers whether there was one. */
  deliver(): boolean {
    const up = this.toMaster.shift();
    up?.();
    const down = this.toWorker.shift();
    down?.();
    return up !== undefined || down !== undefined;
  }
}

describe('permits of Workers and master together', () => {
  it('are never in use beyond the limit, none is lost, and everybody is answered', async () => {
    const worker = fc.nat({ max: 2 });
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          do: fc.constant('acquire' as const),
          worker,
          n: fc.integer({ min: 1, max: 12 }),
        }),
      },
      {
        weight: 4,
        arbitrary: fc.record({
          do: fc.constant('release' as const),
          worker,
          n: fc.integer({ min: 1, max: 12 }),
        }),
      },
      { weight: 6, arbitrary: fc.record({ do: fc.constant('deliver' as const), worker }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('turn' as const) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('recallOver' as const) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('die' as const), worker }) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 150 }),
        fc.array(step, { maxLength: 60 }),
        async (limit, steps) => {
          const world = new World(limit, 3);
          for (const next of steps) {
            const at = 'worker' in next ? world.workers[next.worker] : undefined;
            if (next.do === 'acquire') for (let i = 0; i < next.n; i += 1) at?.acquire();
            if (next.do === 'release')
              for (let i = 0; i < next.n; i += 1) if (at && at.pool.inUse > 0) at.pool.release();
            if (next.do === 'deliver') at?.deliver();
            if (next.do === 'turn') await turns(1);
            if (next.do === 'recallOver') world.ledger.recallOver();
            if (next.do === 'die' && at) {
              world.workers.splice(world.workers.indexOf(at), 1);
              world.ledger.gone(at);
              world.add();
            }
            expect(world.inUse).toBeLessThanOrEqual(limit);
          }
          await world.settle();
          world.ledger.recallOver();
          await world.settle();
          expect(world.inUse).toBeLessThanOrEqual(limit);
          for (const { pool, outcomes, asked } of world.workers) {
            expect(outcomes).toHaveLength(asked);
            if (world.ledger.scarce) expect(pool.idle).toBe(0);
          }
          const booked = world.workers.reduce((sum, { pool }) => sum + pool.inUse + pool.idle, 0);
          expect(world.ledger.limit - world.ledger.free).toBe(booked);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('reach the Worker that starves though others keep idle ones', async () => {
    const world = new World(100, 4);
    for (const worker of world.workers) worker.acquire();
    await world.settle();
    const starving = world.workers[3];
    for (let i = 0; i < 96; i += 1) starving?.acquire();
    await world.settle();
    world.ledger.recallOver();
    await world.settle();
    expect(world.inUse).toBe(100);
    expect(starving?.pool.inUse).toBe(97);
  });

  it('let ten come when ten have left, on whichever Worker', async () => {
    const world = new World(100, 4);
    const [a, b, c, d] = world.workers;
    for (let i = 0; i < 250; i += 1) for (const worker of world.workers) worker.acquire();
    await world.settle();
    world.ledger.recallOver();
    await world.settle();
    expect(world.inUse).toBe(100);
    let left = 10;
    for (const worker of [a, b, c])
      for (; left > 0 && worker && worker.pool.inUse > 0; left -= 1) worker.pool.release();
    await world.settle();
    const before = d?.pool.inUse ?? 0;
    for (let i = 0; i < 12; i += 1) d?.acquire();
    await world.settle();
    expect(world.inUse).toBe(100);
    expect((d?.pool.inUse ?? 0) - before).toBe(10);
  });
});
