/** `server status` of two real nodes with one database and one Redis. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServerStatus, serverStatusSchema } from '../../src/shared/protocol/control-commands.js';
import { Daemon } from '../support/daemon.js';
import { answerJson, FakeGzcp } from '../support/fake-gzcp.js';
import { mariadbProgram, OwnMariadb } from '../support/own-mariadb.js';
import { OwnRedis, redisProgram, until } from '../support/own-redis.js';
import { WsClient } from '../support/ws-client.js';

const program = mariadbProgram();
const BUS_KEYS = JSON.stringify([{ id: 'a', secret: 'a secret of a test, which is long enough' }]);

describe.skipIf(program === null || redisProgram() === null)('server status of two nodes', () => {
  const ends: (() => Promise<void>)[] = [];
  let redis: OwnRedis;
  let [web1, web2]: Daemon[] = [];

  beforeAll(async () => {
    redis = await OwnRedis.start({}, (end) => void ends.push(end));
    const mariadb = await OwnMariadb.start(program ?? '');
    ends.push(() => mariadb.stop());
    const gzcp = new FakeGzcp(({ loginkey }, res) =>
      answerJson(res, { code: 200, data: { uid: Number(loginkey) } }),
    );
    const verifyUrl = await gzcp.listen();
    ends.push(() => gzcp.close());
    const db = await mariadb.makeDatabase();
    const start = async (name: string): Promise<Daemon> => {
      const daemon = await Daemon.start({
        env: {
          PUSHENV: '1',
          SPUSH_NODE_NAME: name,
          SPUSH_WORKER_NUM: '2',
          SPUSH_TASK_WORKER_NUM: '1',
          SPUSH_DB_HOST: db.host,
          SPUSH_DB_PORT: String(db.port),
          SPUSH_DB_USER: db.user,
          SPUSH_DB_PASSWORD: db.password,
          SPUSH_DB_DATABASE: db.database,
          SPUSH_REDIS_HOST: '127.0.0.1',
          SPUSH_REDIS_PORT: String(redis.port),
          SPUSH_REDIS_BUS_KEYS: BUS_KEYS,
          SPUSH_GZCP_VERIFY_URL: verifyUrl,
          SPUSH_GZCP_SECRET: 'secret',
          SPUSH_API_KEYS: JSON.stringify({ main: 'what it signs with' }),
        },
      });
      ends.push(() => daemon.dispose());
      return daemon;
    };
    web1 = await start('web1');
    web2 = await start('web2');
  }, 120_000);

  afterAll(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  }, 60_000);

  const status = async (): Promise<ServerStatus> => {
    const { stdout, stderr } = (await web1?.run('server', 'status', '--json')) ?? { stdout: '', stderr: '' };
    expect(stderr).toBe('');
    return serverStatusSchema.parse(JSON.parse(stdout));
  };
  const namesIn = ({ nodes }: ServerStatus): string[] => (nodes ?? []).map(({ node }) => node);

  it('has a row for each and the total; own figures stay own', async () => {
    await until('they know each other', async () => namesIn(await status()).length === 2);
    const clients = [
      await WsClient.connect(web1?.wsUrl ?? ''),
      await WsClient.connect(web2?.wsUrl ?? ''),
      await WsClient.connect(web2?.wsUrl ?? ''),
    ];
    const { nodes, total, silentNodes, connectionNum } = await status();
    expect(nodes?.map((row) => [row.node, row.connectionNum, row.workerNum])).toEqual([
      ['web1', 1, 2],
      ['web2', 2, 2],
    ]);
    expect(total?.connectionNum).toBe(3);
    expect(silentNodes).toEqual([]);
    expect(connectionNum).toBe(1);
    const shown = await web1?.run('server', 'status');
    expect(shown?.stdout).toMatch(/│ web2 +│ 2 +│/);
    for (const client of clients) await client.close();
  });

  it('counts a node of which a Worker hangs, and names one that hangs as a whole', async () => {
    const workers = [...(web2?.children() ?? [])].filter(([title]) => title.includes('.Worker.'));
    const [first] = workers;
    const freeze = (signal: NodeJS.Signals, pids: readonly (number | undefined)[]): void => {
      for (const pid of pids) if (pid !== undefined) process.kill(pid, signal);
    };
    const all = workers.map(([, pid]) => pid);
    try {
      freeze('SIGSTOP', [first?.[1]]);
      expect(namesIn(await status())).toEqual(['web1', 'web2']);
      freeze('SIGSTOP', all);
      const { nodes, silentNodes } = await status();
      expect(nodes?.map(({ node }) => node)).toEqual(['web1']);
      expect(silentNodes).toEqual(['web2']);
    } finally {
      freeze('SIGCONT', all);
    }
    await until('it answers again', async () => namesIn(await status()).length === 2);
  });

  it('says that Redis is away, and logs in all the same', async () => {
    await redis.kill();
    await until('that is noticed', async () => (await status()).silentNodes?.length === 1);
    const { nodes, silentNodes } = await status();
    expect(nodes?.map(({ node }) => node)).toEqual(['web1']);
    expect(silentNodes).toEqual(['other nodes: Redis is not reached']);
    const client = await WsClient.connect(web1?.wsUrl ?? '');
    const begun = performance.now();
    const { code, body } = await client.ask('login', { ukey: '176906', ack: true });
    expect({ code, uid: body.uid }).toEqual({ code: 200, uid: 176_906 });
    expect(performance.now() - begun).toBeLessThan(1000);
    await redis.restart();
    await until('all answer again', async () => namesIn(await status()).length === 2);
    await client.close();
  });
});
