/** What the spill promises over a server that is killed, frozen, or lost in the middle of a commit. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/platform/clock/system-clock.js';
import { silentLog } from '../../src/platform/log/log.js';
import { Mover } from '../../src/platform/store/spill/mover.js';
import type { DataText, NewMessage } from '../../src/shared/domain/message.js';
import { createMessageIdSource, type MessageId } from '../../src/shared/domain/message-id.js';
import { dataText } from '../../src/shared/protocol/data-text.js';
import { anyMessage } from '../support/any-message.js';
import { type MariadbAccess, mariadbProgram, OwnMariadb } from '../support/own-mariadb.js';
import { type OpenedSpill, SpillingStores } from '../support/spilling-stores.js';
import { SqlProxy } from '../support/sql-proxy.js';

const program = mariadbProgram();

describe.skipIf(program === null)('a store that spills', () => {
  let server: OwnMariadb;
  beforeAll(async () => {
    server = await OwnMariadb.start(program ?? '');
  }, 90_000);
  afterAll(() => server?.stop());

  async function node(): Promise<{ access: MariadbAccess; stores: SpillingStores }> {
    const access = await server.makeDatabase();
    const stores = new SpillingStores(access);
    onTestFinished(() => stores.close());
    return { access, stores };
  }

  /** Every stored row, ids rising. */
  async function rows(access: MariadbAccess): Promise<{ id: string; title: string; state: number }[]> {
    return server.asRoot(async (root) => {
      const [found] = await root.query(
        `SELECT CAST(m.id AS CHAR) AS id, JSON_VALUE(b.text, '$.title') AS title, m.state
         FROM ${access.database}.spush_message m LEFT JOIN ${access.database}.spush_body b ON b.id = m.body_id ORDER BY m.id`,
      );
      return found as { id: string; title: string; state: number }[];
    });
  }

  async function idsOf(access: MariadbAccess): Promise<string[]> {
    return (await rows(access)).map(({ id }) => id);
  }

  test.each([
    ['with a key of its caller', 'k'],
    ['without a key', null],
  ])('stores once what was spilled because its commit could not be asked about, %s', async (_, callerId) => {
    const { access, stores } = await node();
    const proxy = await SqlProxy.start(server.port);
    onTestFinished(() => proxy.stop());
    const { store, spill } = await stores.open({ mysql: { port: proxy.port } });
    proxy.harm = 'late';
    const accepting = store.accept([message(1, { callerId })]);
    await expect.poll(() => proxy.harmed).toBe(1);
    server.freeze();
    const [accepted] = await accepting.finally(() => server.thaw());
    expect(accepted).toMatchObject({ duplicate: false, spilled: true });
    await untilMoved(spill);
    expect(await idsOf(access)).toEqual([accepted?.id]);
  });

  describe('with a server that is away', () => {
    test('answers with ids that the messages keep, and does not wait for the server again', async () => {
      const { access, stores } = await node();
      const { store, spill, live } = await stores.open();
      await server.kill();
      const first = await store.accept([message(1), message(2)]);
      const begun = performance.now();
      const more = await Promise.all(
        Array.from({ length: 200 }, (_, i) => store.accept([message(3, { title: `${i}` })])),
      );
      expect(performance.now() - begun).toBeLessThan(1000);
      const accepted = [...first, ...more.flat()];
      expect(accepted.every(({ spilled, duplicate, unsent }) => spilled && !duplicate && unsent)).toBe(true);
      expect(await store.status(accepted[0]?.id ?? absent())).toMatchObject({ state: 'pending', uid: 1 });
      await server.run();
      await untilMoved(spill);
      expect(await idsOf(access)).toEqual(accepted.map(({ id }) => id).sort());
      expect(live.map(({ id }) => id).sort()).toEqual(accepted.map(({ id }) => id).sort());
      const [later] = await store.accept([message(1)]);
      expect(later?.spilled).toBeUndefined();
    });

    test('keeps any message to the letter: in the file, told live when it is moved, and on the server', async () => {
      const { stores } = await node();
      const { store, spill, live } = await stores.open();
      await server.kill();
      await fc.assert(
        fc.asyncProperty(fc.array(anyMessage, { minLength: 30, maxLength: 60 }), async (some) => {
          const texts = some.map(({ url, data, ...rest }) => ({
            ...rest,
            ...(url === null ? {} : { url }),
            ...(data === null ? {} : { data: dataText(data) as DataText }),
          }));
          const accepted = await store.accept(
            texts.map((each) => message(1, { ...each, url: each.url ?? null, data: each.data ?? null })),
          );
          expect(accepted.every(({ spilled }) => spilled)).toBe(true);
          await server.run();
          await untilMoved(spill);
          const pending = await store.pending(1, { limit: 100 });
          expect(pending).toMatchObject(texts);
          expect(pending.map(({ id }) => id)).toEqual(accepted.map(({ id }) => id));
          expect([...live].sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual(pending);
        }),
        { numRuns: 1, endOnFailure: true },
      );
    });

    test('keeps what became of a spilled message: the user does not get it again', async () => {
      const { stores } = await node();
      const { store, spill, live } = await stores.open();
      const other = await stores.open({ moves: false });
      const [stored] = await store.accept([message(1)]);
      await server.kill();
      const accepted = await store.accept([
        message(1),
        message(1),
        message(1),
        message(1),
        message(null, { kind: 'systemNotice' }),
      ]);
      const [acked, read, settled, open, notice] = accepted.map(({ id }) => id);
      // Another process of the node holds the user's socket.
      expect(await other.store.ack(1, [acked ?? absent(), notice ?? absent()], 5)).toBe(2);
      expect(await other.store.read(1, { ids: [read ?? absent()] }, 6)).toBe(1);
      await other.store.markSent([{ uid: 1, id: settled ?? absent(), settled: true }], 7);
      await expect(other.store.ack(1, [stored?.id ?? absent()], 5)).rejects.toMatchObject({
        code: 'STORE_UNAVAILABLE',
      });
      await server.run();
      await untilMoved(spill);
      const pending = await store.pending(1, { limit: 10 });
      expect(pending.map(({ id }) => id)).toEqual([stored?.id, open]);
      expect(await store.status(acked ?? absent())).toMatchObject({ state: 'acked', ackedAt: 5 });
      expect(await store.status(read ?? absent())).toMatchObject({ state: 'read', readAt: 6 });
      expect(await store.status(settled ?? absent())).toMatchObject({ state: 'sent', sentAt: 7 });
      expect(await store.status(notice ?? absent())).toMatchObject({ receipts: { acked: 1 } });
      expect((await store.pending(2, { limit: 10 })).map(({ id }) => id)).toEqual([notice]);
      expect(live.map(({ id }) => id)).toEqual([open, notice]);
    });

    test('finds doubles by the key of the caller, spilled, moved and stored', async () => {
      const { access, stores } = await node();
      const { store, spill } = await stores.open();
      const [stored] = await store.accept([message(1, { callerId: 'before' })]);
      await server.kill();
      const [first] = await store.accept([message(1, { callerId: 'during' })]);
      const [again] = await store.accept([message(1, { callerId: 'during' })]);
      expect(again).toEqual({ ...first, duplicate: true });
      const [unknown] = await store.accept([message(1, { callerId: 'before' })]);
      expect(unknown).toMatchObject({ duplicate: false, spilled: true });
      await server.run();
      await untilMoved(spill);
      const [after] = await store.accept([message(1, { callerId: 'during' })]);
      expect(after).toMatchObject({ id: first?.id, duplicate: true });
      expect(await idsOf(access)).toEqual([stored?.id, first?.id].sort());
    });

    test('finds a double that still waits when the server is back', async () => {
      const { access, stores } = await node();
      const { store, spill } = await stores.open({ moves: false });
      await server.kill();
      const [first] = await store.accept([message(1, { callerId: 'k' })]);
      await server.run();
      await expect
        .poll(async () => (await store.accept([message(9)]))[0]?.spilled ?? false, { timeout: 10_000 })
        .toBe(false);
      const [again, fresh] = await store.accept([message(1, { callerId: 'k' }), message(1)]);
      expect(again).toMatchObject({ id: first?.id, duplicate: true, spilled: true });
      expect(fresh).toMatchObject({ duplicate: false });
      expect(fresh?.spilled).toBeUndefined();
      await stores.open();
      await untilMoved(spill);
      expect(await idsOf(access)).toEqual(expect.arrayContaining([first?.id, fresh?.id]));
    });

    test('replaces what is older and not what is newer', async () => {
      const { stores } = await node();
      const { store, spill } = await stores.open({ moves: false });
      const other = await stores.open({ accepting: false, moves: false });
      await store.accept([message(1, { collapse: 'a', title: 'old' })]);
      await server.kill();
      await store.accept([message(1, { collapse: 'a', title: 'spilled' })]);
      await store.accept([message(1, { collapse: 'b', title: 'older' })]);
      await server.run();
      await expect
        .poll(async () => (await other.store.accept([message(2)]).catch(() => [])).length, {
          timeout: 10_000,
        })
        .toBe(1);
      await other.target.accept([message(1, { collapse: 'b', title: 'newer' })]);
      await stores.open();
      await untilMoved(spill);
      const pending = await store.pending(1, { limit: 10 });
      expect(pending.map(({ title }) => title)).toEqual(['spilled', 'newer']);
    });

    test('lets cron messages out with the next run of their job, and with one that came before the move', async () => {
      const { stores } = await node();
      const { store, spill } = await stores.open({ moves: false });
      await server.kill();
      await store.accept([message(1, { deliver: 'cron', title: 'c' })]);
      await store.accept([message(1, { deliver: 'cron', kind: 'userNotice', title: 'u' })]);
      await server.run();
      await expect
        .poll(() =>
          store.release('comment', 1).then(
            () => true,
            () => false,
          ),
        )
        .toBe(true);
      const { live } = await stores.open();
      await untilMoved(spill);
      expect((await store.pending(1, { limit: 9 })).map(({ title }) => title)).toEqual(['c']);
      expect(live).toEqual([]);
      await store.release('userNotice', 2);
      expect((await store.pending(1, { limit: 9 })).map(({ title }) => title)).toEqual(['c', 'u']);
    });
  });

  test('a move that was cut off before it deleted what it had stored stores nothing twice', async () => {
    const { access, stores } = await node();
    const { target, spill } = await stores.open({ moves: false });
    const ids = target.newIds(1200);
    await spill.accept(
      Array.from({ length: 1200 }, (_, i) => message(1 + (i % 7), { title: `${i}` })),
      ids,
    );
    const cut = { ...bound(spill), moved: () => Promise.reject(new Error('killed here')) };
    const deps = { target, clock: systemClock, log: silentLog, onLive() {} };
    await expect(new Mover({ ...deps, spill: cut }).run()).rejects.toThrow('killed here');
    expect(await spill.waiting()).toBe(1200);
    await new Mover({ ...deps, spill }).run();
    expect(await spill.waiting()).toBe(0);
    expect(await idsOf(access)).toEqual([...ids].map(String));
  });

  test('two that move at once, each believing to be alone, store everything once', async () => {
    const { access, stores } = await node();
    const a = await stores.open({ moves: false });
    const b = await stores.open({ moves: false });
    const ids = a.target.newIds(2000);
    await a.spill.accept(
      Array.from({ length: 2000 }, (_, i) => message(1 + (i % 7), { title: `${i}` })),
      ids,
    );
    await Promise.all(
      [a, b].map(({ target, spill }) =>
        new Mover({
          target,
          spill: { ...bound(spill), lease: async () => true },
          clock: systemClock,
          log: silentLog,
          onLive() {},
          sliceRows: 100,
        }).run(),
      ),
    );
    expect(await a.spill.waiting()).toBe(0);
    expect(await idsOf(access)).toEqual([...ids].map(String));
  });

  test('what is acknowledged while it is being moved stays acknowledged', async () => {
    const { stores } = await node();
    const { target, spill, store } = await stores.open({ moves: false });
    const [id] = (await spill.accept([message(1)], target.newIds(1))).map((each) => each.id);
    const between: SpillFileLike = {
      ...bound(spill),
      async moved(...args) {
        await store.ack(1, [id ?? absent()], 5);
        await spill.moved(...args);
      },
    };
    const deps = { target, clock: systemClock, log: silentLog, onLive() {} };
    await new Mover({ ...deps, spill: between }).run();
    expect(await spill.waiting()).toBe(1);
    await new Mover({ ...deps, spill }).run();
    expect(await spill.waiting()).toBe(0);
    expect(await store.status(id ?? absent())).toMatchObject({ state: 'acked', ackedAt: 5 });
  });

  test('a message whose id another node gave away goes on under a new one, once', async () => {
    const { access, stores } = await node();
    const { target, spill } = await stores.open({ moves: false });
    const [foreign] = await target.accept([message(1, { title: 'theirs' })]);
    await spill.accept([message(1, { title: 'ours' })], BigInt64Array.of(BigInt(foreign?.id ?? 0)));
    const deps = { target, clock: systemClock, log: silentLog, onLive() {} };
    const cut = { ...bound(spill), moved: () => Promise.reject(new Error('killed here')) };
    await expect(new Mover({ ...deps, spill: cut }).run()).rejects.toThrow('killed here');
    await new Mover({ ...deps, spill }).run();
    await new Mover({ ...deps, spill }).run();
    expect(await spill.waiting()).toBe(0);
    expect((await rows(access)).map(({ title }) => title).sort()).toEqual(['ours', 'theirs']);
  });

  test('what the server can never take stays, and the rest is moved', async () => {
    const { access, stores } = await node();
    await server.asRoot((root) => root.query('SET GLOBAL max_allowed_packet = 1048576'));
    onTestFinished(async () => {
      await server.asRoot((root) => root.query('SET GLOBAL max_allowed_packet = 16777216'));
    });
    const { target, spill } = await stores.open({ moves: false });
    const titles = Array.from({ length: 20 }, (_, i) => `${i}`);
    await spill.accept(
      titles.map((title) => message(1, { title, content: title === '7' ? 'x'.repeat(2_000_000) : '' })),
      target.newIds(20),
    );
    await new Mover({ target, spill, clock: systemClock, log: silentLog, onLive() {} }).run();
    expect(await spill.waiting()).toBe(1);
    expect((await rows(access)).map(({ title }) => title)).toEqual(titles.filter((title) => title !== '7'));
  });

  test('an earlier run’s messages are moved when nothing is to be spilled any more', async () => {
    const { access, stores } = await node();
    const earlier = await stores.open({ moves: false });
    const ids = earlier.target.newIds(3);
    await earlier.spill.accept([message(1), message(2), message(3)], ids);
    await stores.close();
    const { spill } = await stores.open({ accepting: false });
    await untilMoved(spill);
    expect(await idsOf(access)).toEqual([...ids].map(String));
  });

  test('prunes and counts what is spilled', async () => {
    const { stores } = await node();
    const { store, spill, target } = await stores.open({
      moves: false,
      ids: createMessageIdSource(3, systemClock),
    });
    await spill.accept([message(1, { expiresAt: Date.now() - 10 }), message(1)], target.newIds(2));
    expect(await store.pendingCount()).toBe(2);
    expect(await store.prune(Date.now() - 5, 100)).toBe(1);
    expect(await store.pendingCount()).toBe(1);
  });
});

type SpillFileLike = ConstructorParameters<typeof Mover>[0]['spill'];

function bound(spill: OpenedSpill['spill']): SpillFileLike {
  return {
    slice: (...args) => spill.slice(...args),
    receipts: (...args) => spill.receipts(...args),
    moved: (...args) => spill.moved(...args),
    rename: (...args) => spill.rename(...args),
    lease: (...args) => spill.lease(...args),
  };
}

async function untilMoved(spill: OpenedSpill['spill']): Promise<void> {
  await expect.poll(() => spill.waiting(), { timeout: 20_000 }).toBe(0);
}

function absent(): MessageId {
  throw new Error('nothing was accepted');
}

function message(uid: number | null, overrides: Partial<NewMessage> = {}): NewMessage {
  return {
    kind: 'comment',
    uid,
    title: 't',
    content: 'c',
    url: null,
    data: null,
    callerId: null,
    collapse: null,
    deliver: 'now',
    createdAt: Date.now(),
    expiresAt: Date.now() + 3_600_000,
    ...overrides,
  };
}
