/**
 * Contention is not absence: what waits for the locks of others is tried again, and neither refused nor spilled, as long as the time
 * of a call (connectMs + queryMs) is not over. Stores that spill are used throughout, so that a spill would be seen.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { keyText } from '../../src/platform/store/accept-runs.js';
import type { MessageStore } from '../../src/platform/store/message-store.js';
import { lockOf } from '../../src/platform/store/mysql/lock-order.js';
import type { NewMessage } from '../../src/shared/domain/message.js';
import { newMessage } from '../support/messages.js';
import { type MariadbAccess, mariadbProgram, OwnMariadb } from '../support/own-mariadb.js';
import { seededRandom } from '../support/random.js';
import { SpillingStores } from '../support/spilling-stores.js';

/** A call's time in these stores. */
const CALL_MS = 3_000;

const SEED = Number(process.env['SPUSH_TEST_SEED'] ?? Date.now() % 1_000_000);
console.log(`SPUSH_TEST_SEED=${SEED}`);

const program = mariadbProgram();

describe.skipIf(program === null)('a store among many writers', () => {
  let server: OwnMariadb;
  beforeAll(async () => {
    server = await OwnMariadb.start(program ?? '');
  }, 90_000);
  afterAll(() => server?.stop());

  async function processes(count: number): Promise<{ access: MariadbAccess; stores: MessageStore[] }> {
    const access = await server.makeDatabase();
    const made = new SpillingStores(access);
    onTestFinished(() => made.close());
    const stores: MessageStore[] = [];
    for (let i = 0; i < count; i += 1) stores.push((await made.open({ moves: i === 0 })).store);
    return { access, stores };
  }

  async function deadlocks(): Promise<number> {
    return server.asRoot(async (root) => {
      const [rows] = await root.query("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'");
      return Number((rows as { Value: string }[])[0]?.Value);
    });
  }

  async function accepted(call: ReturnType<MessageStore['accept']>): Promise<void> {
    for (const { spilled, duplicate } of await call)
      expect({ spilled, duplicate }).toEqual({ duplicate: false });
  }

  test('a storm of messages that replace each other is answered, each of them, without a deadlock', async () => {
    const { stores } = await processes(6);
    const random = seededRandom(SEED);
    const keys: [uid: number | null, collapse: string][] = [
      [1, 'a'],
      [2, 'a'],
      [1, 'b'],
      [null, 'a'],
    ];
    const one = (): NewMessage => {
      const [uid, collapse] = keys[Math.floor(random() * keys.length)] ?? [1, 'a'];
      return newMessage(uid, { collapse });
    };
    const before = await deadlocks();
    await Promise.all(
      stores.flatMap((store) =>
        Array.from({ length: 8 }, async () => {
          for (let n = 0; n < 25; n += 1)
            await accepted(store.accept(Array.from({ length: 1 + (n % 3) }, one)));
        }),
      ),
    );
    expect((await deadlocks()) - before).toBe(0);
    const [store] = stores;
    // What the model says: of each key the newest one is left.
    for (const [uid, left] of [
      [1, ['a', 'b']],
      [2, ['a']],
      [3, []],
    ] as const) {
      const items = await store?.pending(uid, { limit: 1000 });
      expect(items?.filter((item) => item.uid === uid).length).toBe(left.length);
      expect(items?.filter((item) => item.uid === undefined).length).toBe(1);
    }
    expect(await store?.pendingCount()).toBe(3);
  });

  test('a storm of marks beside it is answered too, with hardly a deadlock', async () => {
    const { stores } = await processes(5);
    const random = seededRandom(SEED);
    const before = await deadlocks();
    await Promise.all(
      stores.flatMap((store) =>
        Array.from({ length: 6 }, async () => {
          for (let n = 0; n < 12; n += 1) {
            const uid = 1 + Math.floor(random() * 3);
            const [first] = await store.accept([newMessage(uid, { collapse: random() < 0.5 ? 'a' : 'b' })]);
            if (first === undefined) throw new Error('nothing was accepted');
            expect(first.spilled).toBeUndefined();
            await store.markSent([{ uid, id: first.id, settled: false }], Date.now());
            if (random() < 0.5) await store.ack(uid, [first.id], Date.now());
            else await store.read(uid, { all: true }, Date.now());
          }
        }),
      ),
    );
    // Of 360 accepted messages and twice as many marks.
    expect((await deadlocks()) - before).toBeLessThan(20);
    for (const uid of [1, 2, 3]) {
      const items = await stores[0]?.pending(uid, { limit: 1000 });
      expect(items?.length).toBeLessThanOrEqual(2);
    }
  }, 180_000);

  const key = (collapse: string) => ({ kind: 1, uid: 1, key: keyText(collapse) ?? '' });

  /** Locks the key of a message for so long. */
  async function holding(access: MariadbAccess, collapse: string, ms: number): Promise<void> {
    await server.asRoot(async (root) => {
      await root.query('START TRANSACTION');
      await root.query(
        `SELECT * FROM ${access.database}.spush_writer WHERE owner = ? AND part = 2 FOR UPDATE`,
        [lockOf(key(collapse))],
      );
      held += 1;
      await sleep(ms);
      await root.query('ROLLBACK');
    });
  }
  let held = 0;

  test('waits for a lock longer than the server lets it wait at a time', async () => {
    const { access, stores } = await processes(1);
    const [store] = stores;
    if (store === undefined) throw new Error('no store');
    await accepted(store.accept([newMessage(1, { collapse: 'k' })]));
    held = 0;
    const other = holding(access, 'k', 1_600);
    await expect.poll(() => held, { interval: 5 }).toBe(1);
    await accepted(store.accept([newMessage(1, { collapse: 'k' })]));
    await other;
  });

  test('waits for several locks in turn, though one statement would be too long for it', async () => {
    const { access, stores } = await processes(1);
    const [store] = stores;
    if (store === undefined) throw new Error('no store');
    const some = ['a', 'b', 'c', 'd'].sort((a, b) => lockOf(key(a)) - lockOf(key(b)));
    const all = () => some.map((collapse) => newMessage(1, { collapse }));
    await accepted(store.accept(all()));
    held = 0;
    const others = Promise.all(some.map((collapse, i) => holding(access, collapse, 650 + i * 480)));
    await expect.poll(() => held, { interval: 5 }).toBe(4);
    await accepted(store.accept(all()));
    await others;
  });

  test('waits while somebody has the whole server locked for a backup', async () => {
    const { stores } = await processes(1);
    const [store] = stores;
    if (store === undefined) throw new Error('no store');
    await accepted(store.accept([newMessage(1)]));
    let calling: Promise<void> = Promise.resolve();
    await server.asRoot(async (root) => {
      await root.query('FLUSH TABLES WITH READ LOCK');
      calling = accepted(store.accept([newMessage(1)]));
      await sleep(1_500);
      await root.query('UNLOCK TABLES');
    });
    await calling;
  });

  test('gives up when the time of the call is over, and then spills', async () => {
    const { access, stores } = await processes(1);
    const [store] = stores;
    if (store === undefined) throw new Error('no store');
    await accepted(store.accept([newMessage(1, { collapse: 'k' })]));
    held = 0;
    const other = holding(access, 'k', 6_000);
    await expect.poll(() => held, { interval: 5 }).toBe(1);
    const begun = performance.now();
    const [late] = await store.accept([newMessage(1, { collapse: 'k' })]);
    const waited = performance.now() - begun;
    expect(late?.spilled).toBe(true);
    expect(waited).toBeGreaterThan(CALL_MS - 200);
    expect(waited).toBeLessThan(CALL_MS + 2_500);
    await other;
  });
});
