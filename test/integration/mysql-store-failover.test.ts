/**
 * The MySQL store behind an address that moves between two servers which replicate to each other, there and back: a server that
 * only reads is found out and left, what was answered is there once, and calls succeed again soon after the address is right.
 * SPUSH_TEST_FAILOVERS is how often; 20 for the long run.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { MessageStore } from '../../src/platform/store/message-store.js';
import { newMessage } from '../support/messages.js';
import { MysqlStores } from '../support/mysql-stores.js';
import { type MariadbAccess, mariadbProgram } from '../support/own-mariadb.js';
import { ReplicatedMariadb } from '../support/replicated-mariadb.js';
import { SpillingStores } from '../support/spilling-stores.js';
import { SwitchedAddress } from '../support/switched-address.js';

const FAILOVERS = Number(process.env['SPUSH_TEST_FAILOVERS'] ?? 4);
const LANES = 6;
/** "Within a couple of seconds", on a machine that has other things to do. */
const SOON_MS = 5_000;

const program = mariadbProgram();

describe.skipIf(program === null)(
  'behind an address that moves,',
  { timeout: 60_000 + FAILOVERS * 20_000 },
  () => {
    let pair: ReplicatedMariadb;

    beforeAll(async () => {
      pair = await ReplicatedMariadb.start(program ?? '');
    }, 120_000);
    afterAll(() => pair?.stop());

    async function place(): Promise<{ access: MariadbAccess; address: SwitchedAddress }> {
      const access = await pair.primary.makeDatabase();
      const address = await SwitchedAddress.open(pair.primary.port);
      onTestFinished(() => address.close());
      return { access: { ...access, port: address.port }, address };
    }

    /** The address is with the next primary before that one takes changes. */
    async function failOver(address: SwitchedAddress, round: number): Promise<void> {
      await pair.demote();
      await sleep(200);
      address.switchTo(pair.replica.port);
      // Proxies end what is open, virtual addresses do not.
      if (round % 2 === 1) address.cut();
      await sleep(300);
      await pair.promote();
    }

    async function titlesOf(access: MariadbAccess): Promise<{ title: string; id: string }[]> {
      return pair.primary.asRoot(async (root) => {
        const [rows] = await root.query(
          `SELECT JSON_VALUE(b.text, '$.title') AS title, CAST(m.id AS CHAR) AS id
         FROM ${access.database}.spush_message m JOIN ${access.database}.spush_body b ON b.id = m.body_id`,
        );
        return rows as { title: string; id: string }[];
      });
    }

    test.each([
      ['the MySQL store', false],
      ['a store that spills', true],
    ])('%s keeps what it answered, once, and goes on soon', async (_, spills) => {
      const { access, address } = await place();
      const stores: MessageStore[] = [];
      let moved = async (): Promise<void> => {};
      if (spills) {
        const made = new SpillingStores(access);
        onTestFinished(() => made.close());
        const opened = [await made.open(), await made.open({ moves: false })];
        stores.push(...opened.map(({ store }) => store));
        moved = async () => {
          const { spill } = opened[0] ?? {};
          await expect.poll(() => spill?.waiting(), { timeout: 20_000 }).toBe(0);
        };
      } else {
        const made = new MysqlStores(access);
        onTestFinished(() => made.close());
        stores.push(await made.open(), await made.open());
      }
      const load = new Load(stores);
      onTestFinished(() => load.stop());
      load.start();
      const waits: number[] = [];
      for (let round = 0; round < FAILOVERS; round += 1) {
        await load.untilMore(60);
        await failOver(address, round);
        const begun = performance.now();
        await load.untilMore(20);
        waits.push(Math.round(performance.now() - begun));
      }
      await load.stop();
      await moved();
      const stored = await titlesOf(access);
      console.log(JSON.stringify({ spills, answered: load.answered.size, failed: load.failed, waits }));
      const idOf = new Map(stored.map(({ title, id }) => [title, id]));
      expect(idOf.size, 'stored more than once').toBe(stored.length);
      expect([...load.answered].filter(([title, id]) => idOf.get(title) !== id)).toEqual([]);
      expect(load.answered.size).toBeGreaterThan(FAILOVERS * 80);
      expect(waits.filter((ms) => ms > SOON_MS)).toEqual([]);
    });

    test('reads leave a server that was demoted, though it goes on answering them', async () => {
      const { access, address } = await place();
      const made = new MysqlStores(access);
      onTestFinished(() => made.close());
      const store = await made.open();
      await store.accept([newMessage(1, { title: 'before' })]);
      await Promise.all(Array.from({ length: 12 }, () => store.unread(1)));
      await pair.demote();
      // The old primary hears nothing of what the next one stores.
      await pair.primary.asRoot((root) => root.query('STOP SLAVE'));
      address.switchTo(pair.replica.port);
      await pair.promote();
      const old = pair.replica;
      onTestFinished(() => old.asRoot(async (root) => void (await root.query('START SLAVE'))));
      await pair.primary.asRoot((root) =>
        root.query(
          `UPDATE ${access.database}.spush_message SET state = 2, read_at = 1, acked_at = 1, sent_at = 1`,
        ),
      );
      await expect.poll(async () => (await store.unread(1)).total, { timeout: SOON_MS }).toBe(0);
      for (let i = 0; i < 20; i += 1) expect((await store.unread(1)).total).toBe(0);
    });

    test('a store that finds only a server that reads says so, and is not flooding it with connections', async () => {
      const { access, address } = await place();
      const made = new MysqlStores(access);
      onTestFinished(() => made.close());
      const store = await made.open();
      await store.probe();
      address.switchTo(pair.replica.port);
      address.cut();
      await expect.poll(() => outcome(store.accept([newMessage(1)]))).toContain('read_only is ON');
      const before = await connectionsMade();
      for (let i = 0; i < 300; i += 1) {
        expect(await outcome(store.unread(1))).toContain('read_only is ON');
        await sleep(2);
      }
      expect((await connectionsMade()) - before).toBeLessThan(60);
      address.switchTo(pair.primary.port);
      await expect.poll(() => outcome(store.accept([newMessage(1)])), { timeout: SOON_MS }).toBe('kept');
    });

    // Its answer is "Table is read only" (1036), and nothing else in it tells that it is no primary.
    test('a server whose tables are read-only is left as soon as the address is right again', async () => {
      const { access, address } = await place();
      const made = new MysqlStores(access);
      onTestFinished(() => made.close());
      const store = await made.open();
      const replica = pair.replica;
      await store.accept([newMessage(1)]);
      await replica.shutDown();
      await replica.run(['--innodb-read-only', '--skip-slave-start']);
      onTestFinished(async () => {
        await replica.shutDown();
        await replica.run();
        await replica.asRoot((root) => root.query('SET GLOBAL read_only = 1'));
      });
      const waits: number[] = [];
      for (let round = 0; round < FAILOVERS; round += 1) {
        address.switchTo(replica.port);
        address.cut();
        await expect
          .poll(() => outcome(store.accept([newMessage(1)])))
          .toContain('point db.ts to the primary');
        address.switchTo(pair.primary.port);
        const begun = performance.now();
        await expect
          .poll(() => outcome(store.accept([newMessage(1)])), { timeout: 20_000, interval: 20 })
          .toBe('kept');
        waits.push(Math.round(performance.now() - begun));
      }
      console.log(JSON.stringify({ waits }));
      expect(waits.filter((ms) => ms > SOON_MS)).toEqual([]);
    });

    async function connectionsMade(): Promise<number> {
      return pair.replica.asRoot(async (root) => {
        const [rows] = await root.query("SHOW GLOBAL STATUS LIKE 'Connections'");
        return Number((rows as { Value: string }[])[0]?.Value);
      });
    }
  },
);

async function outcome(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'kept',
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
}

/** Callers that repeat a call with an id of their own until it is answered, and others that try once. */
class Load {
  readonly answered = new Map<string, string>();
  failed = 0;
  readonly #stores: readonly MessageStore[];
  #running = true;
  #lanes: Promise<void>[] = [];

  constructor(stores: readonly MessageStore[]) {
    this.#stores = stores;
  }

  start(): void {
    this.#lanes = Array.from({ length: LANES }, (_, lane) => this.#run(lane));
  }

  async untilMore(count: number): Promise<void> {
    const wanted = this.answered.size + count;
    await expect.poll(() => this.answered.size, { timeout: 30_000, interval: 10 }).toBeGreaterThan(wanted);
  }

  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#lanes);
  }

  async #run(lane: number): Promise<void> {
    for (let n = 0; this.#running; n += 1) {
      await this.#try(lane, `once-${lane}-${n}`, null);
      const title = `repeated-${lane}-${n}`;
      while (!(await this.#try(lane, title, title)) && this.#running);
      await sleep(5);
    }
  }

  async #try(lane: number, title: string, callerId: string | null): Promise<boolean> {
    const store = this.#stores[lane % this.#stores.length];
    try {
      const [accepted] = (await store?.accept([newMessage(1 + lane, { title, callerId })])) ?? [];
      if (accepted !== undefined) this.answered.set(title, accepted.id);
      return true;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'STORE_UNAVAILABLE')) throw error;
      this.failed += 1;
      await sleep(20);
      return false;
    }
  }
}
