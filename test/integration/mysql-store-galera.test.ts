/**
 * The MySQL store on a node of a Galera cluster: the node loses the cluster and answers all that needs no table, and it takes
 * transactions back at COMMIT for the sake of others.
 */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../support/free-port.js';
import { newMessage } from '../support/messages.js';
import { MysqlStores } from '../support/mysql-stores.js';
import { mariadbProgram, OwnMariadb } from '../support/own-mariadb.js';

/** Comes with Debian's mariadb-server. */
const LIBRARY = '/usr/lib/galera/libgalera_smm.so';

const program = mariadbProgram();
const there = program !== null && existsSync(LIBRARY);
if (program !== null && !there) console.warn(`skipped: ${LIBRARY} is not there: apt-get install galera-4`);
if (!there && process.env['SPUSH_TEST_REQUIRE'] === 'all') throw new Error(`${LIBRARY} is not there`);

describe.skipIf(!there)('on a node of a Galera cluster the MySQL store', () => {
  let server: OwnMariadb;
  beforeAll(async () => {
    const port = await freePort();
    server = await OwnMariadb.start(program ?? '', [
      '--wsrep-on=ON',
      `--wsrep-provider=${LIBRARY}`,
      '--wsrep-cluster-address=gcomm://',
      '--binlog-format=ROW',
      '--innodb-autoinc-lock-mode=2',
      `--wsrep-node-address=127.0.0.1:${port}`,
      `--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:${port};gcache.size=16M;pc.wait_prim=no`,
    ]);
  }, 90_000);
  afterAll(() => server?.stop());

  async function opened() {
    const made = await MysqlStores.make(server);
    onTestFinished(() => made.close());
    return { made, store: await made.open() };
  }

  async function join(cluster: string): Promise<void> {
    await server.asRoot((root) => root.query(`SET GLOBAL wsrep_cluster_address = 'gcomm://${cluster}'`));
  }

  test('says that the node has lost its cluster, and goes on by itself when it is back', async () => {
    const { made, store } = await opened();
    await store.accept([newMessage(1)]);
    // Nobody listens there.
    await join('127.0.0.1:1');
    try {
      for (let i = 0; i < 3; i += 1)
        await expect(store.accept([newMessage(1)])).rejects.toMatchObject({
          code: 'STORE_UNAVAILABLE',
          message: expect.stringContaining('wsrep_ready is OFF'),
        });
      await expect(store.unread(1)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      await expect(made.open()).rejects.toMatchObject({
        code: 'START_FAILED',
        message: expect.stringContaining('lost its cluster'),
      });
    } finally {
      await join('');
    }
    await expect
      .poll(() => store.accept([newMessage(1)]).catch((error: unknown) => error), { timeout: 10_000 })
      .toMatchObject([{ duplicate: false }]);
    expect((await store.unread(1)).total).toBe(2);
  });

  test('leaves a node that answers that it takes nothing, and goes on when it does', async () => {
    const { store } = await opened();
    await store.accept([newMessage(1)]);
    const reject = (what: string) =>
      server.asRoot((root) => root.query(`SET GLOBAL wsrep_reject_queries = '${what}'`));
    await reject('ALL');
    const refusal = await store.accept([newMessage(1)]).catch((error: unknown) => error);
    await reject('NONE').catch(() => reject('NONE'));
    expect(refusal).toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining('error 1047'),
    });
    expect((await store.accept([newMessage(1)])).length).toBe(1);
  });

  test('does again what the cluster took back', async () => {
    const { made, store } = await opened();
    const [first] = await store.accept([newMessage(1)]);
    if (first === undefined) throw new Error('nothing was accepted');
    let changing = true;
    const changes = (async () => {
      // A change of a table aborts every transaction on it that is under way.
      for (let n = 0; changing; n += 1)
        await server.asRoot((root) =>
          root.query(`ALTER TABLE ${made.access.database}.spush_message COMMENT = '${n}'`),
        );
    })();
    try {
      for (let n = 0; n < 40; n += 1) {
        await store.accept([newMessage(1)]);
        await store.markSent([{ uid: 1, id: first.id, settled: false }], n);
      }
    } finally {
      changing = false;
      await changes;
    }
    expect((await store.unread(1)).total).toBe(41);
    expect((await store.status(first.id))?.sentAt).toBe(39);
  });
});
