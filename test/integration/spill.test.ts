/**
 * A node whose database is killed and frozen under load, and which is itself killed while it spills and while it moves:
 * every message that was answered 200 is stored once, under the id that was answered.
 */
import path from 'node:path';
import Database from 'libsql';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { Daemon } from '../support/daemon.js';
import { answerJson, FakeGzcp } from '../support/fake-gzcp.js';
import { type MariadbAccess, mariadbProgram, OwnMariadb } from '../support/own-mariadb.js';
import { OwnRedis, redisProgram } from '../support/own-redis.js';
import { SpillLoad } from '../support/spill-load.js';
import { WsClient } from '../support/ws-client.js';

const SECRET = 'the secret of this test';

const mariadb = mariadbProgram();
const redis = redisProgram();

describe.skipIf(mariadb === null || redis === null)('a node that spills', { timeout: 180_000 }, () => {
  let server: OwnMariadb;
  const ends: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    server = await OwnMariadb.start(mariadb ?? '');
  }, 90_000);
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
    await server?.stop();
  });

  async function node(): Promise<{ daemon: Daemon; access: MariadbAccess; waiting: () => number }> {
    const access = await server.makeDatabase();
    const { port } = await OwnRedis.start({}, (end) => onTestFinished(end));
    const gzcp = new FakeGzcp(({ loginkey }, res) =>
      answerJson(res, { code: 200, data: { uid: Number(loginkey.slice('key-'.length)) } }),
    );
    const verifyUrl = await gzcp.listen();
    onTestFinished(() => gzcp.close());
    const daemon = await Daemon.start({
      env: {
        PUSHENV: '1',
        SPUSH_WORKER_NUM: '2',
        SPUSH_TASK_WORKER_NUM: '1',
        SPUSH_DB_SPILL: 'true',
        SPUSH_DB_HOST: access.host,
        SPUSH_DB_PORT: String(access.port),
        SPUSH_DB_USER: access.user,
        SPUSH_DB_PASSWORD: access.password,
        SPUSH_DB_DATABASE: access.database,
        SPUSH_REDIS_PORT: String(port),
        SPUSH_REDIS_BUS_KEYS: JSON.stringify([{ id: 'a', secret: 'x'.repeat(40) }]),
        SPUSH_GZCP_VERIFY_URL: verifyUrl,
        SPUSH_GZCP_SECRET: 'shared',
        SPUSH_API_KEYS: JSON.stringify({ main: SECRET }),
      },
    });
    onTestFinished(() => daemon.dispose());
    const file = path.join(daemon.home, 'Data/websocket.spill.db');
    const waiting = (): number => {
      const db = new Database(`file:${file}?mode=ro`);
      try {
        const [row] = db.prepare('SELECT count(*) AS n FROM message').all() as { n: number }[];
        return row?.n ?? 0;
      } finally {
        db.close();
      }
    };
    return { daemon, access, waiting };
  }

  test('keeps exactly once what it answered, over kills of the database and of itself', async () => {
    const { daemon, access, waiting } = await node();
    const load = new SpillLoad(daemon, SECRET);
    onTestFinished(() => load.stop());
    load.start();
    await load.untilMore({ answered: 200 });

    await server.kill();
    await load.untilMore({ spilled: 300 });
    expect((await daemon.get('/readyz')).body.data.reasons).toMatchObject([{ check: 'store' }]);
    await server.run();
    await load.untilMore({ stored: 100 });

    server.freeze();
    await load.untilMore({ spilled: 300 });
    server.thaw();
    await load.untilMore({ stored: 100 });

    await server.kill();
    await load.untilMore({ spilled: 200 });
    await daemon.killAll();
    const left = waiting();
    expect(left).toBeGreaterThan(0);
    await server.run();
    await daemon.start();
    await load.untilMore({ stored: 100 });

    await server.kill();
    await load.untilMore({ spilled: 100 });
    await load.batches(20, 1000);
    const before = waiting();
    await server.run();
    let middle = before;
    while (middle >= before - 1000) middle = waiting();
    await daemon.killAll();
    const cutOff = waiting();
    await daemon.start();
    await load.untilMore({ stored: 100 });
    await load.stop();
    await expect.poll(waiting, { timeout: 60_000 }).toBe(0);

    const audit = await load.audit(server, access);
    console.log(
      JSON.stringify({ ...audit.counts, leftByKilledNode: left, atMove: before, cutOffMoveAt: cutOff }),
    );
    expect(before).toBeGreaterThan(10_000);
    expect(cutOff).toBeGreaterThan(0);
    expect(audit).toMatchObject({ missing: [], twice: [], otherId: [] });
  });

  test('delivers live what it spills, and not again what was acknowledged meanwhile', async () => {
    const { daemon, waiting } = await node();
    const load = new SpillLoad(daemon, SECRET);
    const client = await WsClient.connect(daemon.wsUrl);
    expect(await client.ask('login', { ukey: 'key-77', ack: true })).toMatchObject({ code: 200 });
    await load.post({ uid: 77, title: 'before' });
    await server.kill();
    const answer = await load.post({ uid: 77, title: 'acked' });
    expect(answer.body.data).toMatchObject({ accepted: 1, duplicates: 0, spilled: 1 });
    const [id] = answer.body.data.ids;
    const titles = () =>
      client.frames
        .filter(({ cmd }) => cmd === 'push')
        .flatMap(({ body }) => body.items.map((item: { title: string }) => item.title));
    await client.until(() => titles().includes('acked'));
    expect(await client.ask('ack', { ids: [id] })).toMatchObject({ code: 200, body: { acked: 1 } });
    expect((await load.get(`/api/message/${id}`)).body.data).toMatchObject({ id, state: 'acked' });
    const open = await load.post({ uid: 77, title: 'open' });
    await client.until(() => titles().includes('open'));
    await server.run();
    await expect.poll(waiting, { timeout: 30_000 }).toBe(0);
    expect((await load.get(`/api/message/${id}`)).body.data).toMatchObject({ id, state: 'acked' });
    const later = await load.post({ uid: 77, title: 'later' });
    expect(later.status).toBe(200);
    await client.until(() => titles().includes('later'));
    expect(titles()).toEqual(['before', 'acked', 'open', 'later']);
    const again = await WsClient.connect(daemon.wsUrl);
    await again.ask('login', { ukey: 'key-77', ack: true });
    const replayed = await again.until(() => again.frames.find(({ cmd }) => cmd === 'push'));
    const ids = replayed.body.items.map((item: { id: string }) => item.id);
    expect(ids).not.toContain(id);
    expect(ids).toContain(open.body.data.ids[0]);
    await expect.poll(waiting, { timeout: 30_000 }).toBe(0);
    const metrics = await (await fetch(`${daemon.url}/metrics`)).text();
    // One Worker may hear a moment later than the other that the database is back.
    expect(metrics).toMatch(/^spush_spilled_total(\{\})? [23]$/m);
    expect(metrics).toMatch(/^spush_spill_waiting(\{\})? \d+$/m);
  });
});
