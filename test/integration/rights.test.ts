/**
 * Users with the rights that docs/OPERATIONS.md gives and no more: its ACL lines and GRANTs are run as they are printed, two
 * nodes of PUSHENV 1 with the names of conf/Test work with them, and neither Redis nor the database refuses anything.
 *
 * The statements for the database are run on MariaDB. MySQL is not in Debian, so that they hold there too is not shown here.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { redisAclRules, SENTINEL_ACL_RULES } from '../../src/platform/bus/redis/redis-rights.js';
import type { RedisConf } from '../../src/platform/config/config-schema.js';
import { DATABASE_RIGHTS } from '../../src/platform/store/mysql/mysql-faults.js';
import type { Daemon } from '../support/daemon.js';
import { docBlocks } from '../support/doc-blocks.js';
import {
  aclBlock,
  aclFile,
  CLUSTER_NODE,
  commandsRun,
  DATABASE,
  GrantedMariadb,
  ONE_SERVER,
  PAGE,
  REDIS_PASSWORD,
  REDIS_RIGHTS,
  refusals,
  SENTINEL,
  SENTINEL_PASSWORD,
} from '../support/least-rights.js';
import { outsideProgram } from '../support/outside-program.js';
import { type AtEnd, OwnRedis, startCluster, startSentinels, until } from '../support/own-redis.js';
import { canHaveOwnSite, nodeEnv, OwnSite } from '../support/own-site.js';
import { joinRedis, redisConfig } from '../support/redis-buses.js';
import { reload } from '../support/reload-run.js';
import { runAsPrinted } from '../support/run-as-printed.js';
import { startNode } from '../support/start-node.js';
import { WsClient } from '../support/ws-client.js';

const PREFIX = 'spush-test:';
const USER = 'spush-test';

interface RedisWorld {
  /** Servers that nodes use, replicas too. */
  readonly servers: readonly OwnRedis[];
  readonly sentinels: readonly OwnRedis[];
  readonly env: Readonly<Record<string, string>>;
  /** Moves Redis to other servers. */
  failOver?(): Promise<void>;
}

const WORLDS: Readonly<Record<string, (atEnd: AtEnd) => Promise<RedisWorld>>> = {
  'one Redis': async (atEnd) => {
    const server = await OwnRedis.start({ aclfile: usersOf(ONE_SERVER, atEnd) }, atEnd);
    const env = { SPUSH_REDIS_HOST: '127.0.0.1', SPUSH_REDIS_PORT: String(server.port) };
    return { servers: [server], sentinels: [], env };
  },
  'Redis with Sentinels': async (atEnd) => {
    const users = usersOf(ONE_SERVER, atEnd);
    const { servers, sentinels, name, primaryPort } = await startSentinels(atEnd, {
      redis: { aclfile: users },
      sentinel: aclBlock(SENTINEL),
    });
    const env = {
      SPUSH_REDIS_SENTINELS: JSON.stringify(sentinels.map(({ port }) => `127.0.0.1:${port}`)),
      SPUSH_REDIS_SENTINEL_NAME: name,
      SPUSH_REDIS_SENTINEL_USERNAME: 'spush',
      SPUSH_REDIS_SENTINEL_PASSWORD: SENTINEL_PASSWORD,
    };
    const failOver = async () => {
      const before = await primaryPort();
      await sentinels[0]?.command('SENTINEL', 'FAILOVER', name);
      await until('the other server is the primary', async () => (await primaryPort()) !== before);
    };
    return { servers, sentinels, env, failOver };
  },
  'a Redis Cluster': async (atEnd) => {
    const users = usersOf(CLUSTER_NODE, atEnd);
    const { primaries } = await startCluster({ settings: { aclfile: users } }, atEnd);
    const env = { SPUSH_REDIS_NODES: JSON.stringify(primaries.map(({ port }) => `127.0.0.1:${port}`)) };
    return { servers: primaries, sentinels: [], env };
  },
};

function usersOf(which: RegExp, atEnd: AtEnd): string {
  const { file, remove } = aclFile(aclBlock(which));
  atEnd(remove);
  return file;
}

describe('the rights that docs/OPERATIONS.md gives', () => {
  const commands = (lines: string) => lines.match(/\+\S+/g)?.sort();

  test.each<[what: string, conf: RedisConf, which: RegExp]>([
    ['one server', {}, ONE_SERVER],
    ['a node of a Cluster', { nodes: ['a:1'] }, CLUSTER_NODE],
  ])('to a user of Redis, at %s, are those that an error of the program asks for', (_, conf, which) => {
    const lines = aclBlock(which).trim().split('\n');
    for (const [at, [user, prefix]] of [['spush', 'spush:'] as const, [USER, PREFIX] as const].entries()) {
      const line = lines[at] ?? '';
      expect(
        line.startsWith(`user ${user} on >${REDIS_PASSWORD} ~${prefix}nonce:* &${prefix}* -@all +`),
      ).toBe(true);
      expect(commands(line)).toEqual(commands(redisAclRules(redisConfig({ ...conf, prefix }))));
    }
  });

  test('at a Sentinel too', () => {
    expect(aclBlock(SENTINEL)).toBe(`user spush on >${SENTINEL_PASSWORD} ${SENTINEL_ACL_RULES}\n`);
  });

  test('are for the names that conf/ has', async () => {
    for (const [env, user] of [
      ['Online', 'spush'],
      ['Test', USER],
    ] as const) {
      const redis = (await import(`../../conf/${env}/redis.ts`)) as { default: { prefix: string } };
      const db = (await import(`../../conf/${env}/db.ts`)) as { default: { user: string; database: string } };
      expect(aclBlock(ONE_SERVER)).toContain(
        `user ${user} on >${REDIS_PASSWORD} ~${redis.default.prefix}nonce:*`,
      );
      const { user: dbUser, database } = db.default;
      const statements = docBlocks(PAGE, DATABASE, 'sql').map(({ text }) => text);
      expect(statements.filter((text) => text.includes(`CREATE DATABASE ${database} `))).toEqual([
        expect.stringContaining(`GRANT ${DATABASE_RIGHTS} ON ${database}.* TO '${dbUser}'@`),
      ]);
    }
  });

  // What MySQL 8.0 has in common with MariaDB, written out: no word that only one of them knows.
  test('are given by statements that MySQL has as well (by their words; they are run on MariaDB)', () => {
    const shapes = [
      /^CREATE DATABASE [a-z_]+ CHARACTER SET utf8mb4$/,
      /^CREATE USER '[a-z]+'@'[\d.%]+' IDENTIFIED BY '[\w-]+'$/,
      /^GRANT [A-Z, ]+ ON [a-z_]+\.\* TO '[a-z]+'@'[\d.%]+'$/,
      /^REVOKE [A-Z, ]+ ON [a-z_]+\.\* FROM '[a-z]+'@'[\d.%]+'$/,
    ];
    const statements = docBlocks(PAGE, DATABASE, 'sql').flatMap(({ text }) =>
      text.split(';').map((statement) => statement.trim()),
    );
    for (const statement of statements.filter((text) => text !== ''))
      expect(
        shapes.some((shape) => shape.test(statement)),
        statement,
      ).toBe(true);
  });
});

describe.skipIf(!canHaveOwnSite())('two nodes with the rights of the page', { timeout: 240_000 }, () => {
  const ends: (() => Promise<void>)[] = [];
  let site: OwnSite;

  beforeAll(async () => {
    site = await OwnSite.start();
    ends.push(() => site.close());
  }, 90_000);
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
  });

  /** As an operator has them: what conf/Test says of database, user and prefix is left to it. */
  function envOf(db: GrantedMariadb, world: RedisWorld): Record<string, string> {
    const access = { host: '', port: 0, user: '', password: '', database: '' };
    const {
      SPUSH_DB_USER: _,
      SPUSH_DB_DATABASE: __,
      SPUSH_REDIS_PREFIX: ___,
      ...rest
    } = nodeEnv(site.access, access, world.env);
    return {
      ...rest,
      ...db.env,
      SPUSH_DB_SPILL: 'true',
      // The machine of a test may be slow; rights are no matter of time.
      SPUSH_DB_CONNECT_MS: '5000',
      SPUSH_REDIS_USERNAME: USER,
      SPUSH_REDIS_PASSWORD: REDIS_PASSWORD,
    };
  }

  for (const [name, start] of Object.entries(WORLDS)) {
    test(`and ${name} do all their work, and nothing is refused`, async () => {
      const db = await GrantedMariadb.start();
      onTestFinished(() => db.server.stop());
      db.apply('CREATE DATABASE spush_test');
      const world = await start((end) => onTestFinished(end));
      // From here on the servers count what nodes do.
      for (const server of world.servers) await server.command('CONFIG', 'RESETSTAT');
      const env = envOf(db, world);
      const a = await startNode(env);
      onTestFinished(() => a.dispose());
      const b = await startNode(env);
      onTestFinished(() => b.dispose());

      await workOf(a, b);
      if (world.failOver) {
        await world.failOver();
        await ready(a, b);
        await workOf(a, b);
      }
      await spills(a, db);
      // A second start finds its tables.
      await b.stop();
      await b.start();
      await ready(a, b);
      await pushes(a, b, 900);

      for (const server of [...world.servers, ...world.sentinels]) expect(await refusals(server)).toEqual([]);
      expect(db.denials()).toEqual([]);
      for (const node of [a, b]) expect(deniedIn(node)).toEqual([]);
      if (world.sentinels.length > 0) return; // Sentinels and replication use commands of their own.
      const run = new Set((await Promise.all(world.servers.map(commandsRun))).flat());
      // AUTH needs no right; the others are this test's.
      for (const own of ['auth', 'config|resetstat', 'acl|log']) run.delete(own);
      const granted = [
        ...aclBlock(world.env['SPUSH_REDIS_NODES'] ? CLUSTER_NODE : ONE_SERVER).matchAll(/\+(\S+)/g),
      ];
      expect([...run].filter((command) => !OF_CLUSTER.has(command)).sort()).toEqual(
        [...new Set(granted.map(([, command]) => command))].sort(),
      );
    });
  }

  test('go on without the rights for making tables, when these are there', async () => {
    const db = await GrantedMariadb.start();
    onTestFinished(() => db.server.stop());
    const world = await WORLDS['one Redis']?.((end) => onTestFinished(end));
    if (!world) throw new Error('no world');
    db.apply('CREATE DATABASE spush CHARACTER');
    const env = { ...envOf(db, world), SPUSH_DB_DATABASE: 'spush' };
    const a = await startNode(env);
    onTestFinished(() => a.dispose());
    await a.stop();
    db.apply('REVOKE');
    await a.start();
    const b = await startNode(env);
    onTestFinished(() => b.dispose());
    await pushes(a, b, 100);
    expect(db.denials()).toEqual([]);
    for (const node of [a, b]) expect(deniedIn(node)).toEqual([]);
  });
});

/** Of the test's own set-up, and what its nodes tell each other. */
const OF_CLUSTER: ReadonlySet<string> = new Set(['cluster|info', 'cluster|nodes', 'cluster|myid']);

const redisCli = outsideProgram('redis-cli', 'apt-get install redis-server');

describe.skipIf(!canHaveOwnSite() || redisCli === null)('a user of Redis', () => {
  test('is made by the command of the page on a server that runs, and can be used', async () => {
    const server = await OwnRedis.start();
    const command = docBlocks(PAGE, REDIS_RIGHTS, 'sh').map(({ text }) => text);
    expect(command).toHaveLength(1);
    const answer = await runAsPrinted(command.join(''), {
      'redis-cli': [redisCli ?? '', '-p', String(server.port)],
    });
    expect(answer).toBe('OK\n');
    const conf = { port: server.port, username: 'spush', password: REDIS_PASSWORD, prefix: 'spush:' };
    expect((await joinRedis(redisConfig(conf))).bus.healthy).toBe(true);
    expect(await refusals(server)).toEqual([]);
  });

  test('of another prefix is refused at the start, by an error with the command that mends it', async () => {
    const server = await OwnRedis.start({ aclfile: usersOf(ONE_SERVER, onTestFinished) });
    const redis = redisConfig({
      port: server.port,
      username: 'spush',
      password: REDIS_PASSWORD,
      prefix: 'spush-test:',
    });
    const error: unknown = await joinRedis(redis).catch((e: unknown) => e);
    expect(String(error)).toMatch(
      /NOPERM.*redis\.prefix is "spush-test:"; at this Redis .*: ACL SETUSER spush /,
    );
    const [, command = ''] = /: (ACL SETUSER .*)$/.exec(String(error)) ?? [];
    await runAsPrinted(`redis-cli ${command}`, { 'redis-cli': [redisCli ?? '', '-p', String(server.port)] });
    expect((await joinRedis(redis)).bus.healthy).toBe(true);
  });

  test('who may not publish is refused at the start for that reason, and not as a silent server', async () => {
    const server = await OwnRedis.start({ aclfile: usersOf(ONE_SERVER, onTestFinished) });
    await server.command('ACL', 'SETUSER', 'spush', '-publish');
    const redis = redisConfig({
      port: server.port,
      username: 'spush',
      password: REDIS_PASSWORD,
      prefix: 'spush:',
    });
    await expect(joinRedis(redis)).rejects.toThrow(/NOPERM.*publish.*ACL SETUSER spush .*\+publish/);
  });

  test('of the Sentinels without its rights is told which ones it needs there', async () => {
    const { sentinels, name } = await startSentinels(onTestFinished, {
      redis: {},
      sentinel: 'user lost on >pass -@all +ping\n',
    });
    const redis = redisConfig({
      sentinels: sentinels.map(({ port }) => `127.0.0.1:${port}`),
      sentinelName: name,
      sentinelUsername: 'lost',
      sentinelPassword: 'pass',
    });
    await expect(joinRedis(redis)).rejects.toThrow(
      /NOPERM.*at each Sentinel.*ACL SETUSER lost -@all '\+client\|setname' '\+sentinel\|master'/,
    );
  });
});

/** Everything that nodes use Redis and the database for, but the spill. */
async function workOf(a: Daemon, b: Daemon): Promise<void> {
  await pushes(a, b, 100);
  await asksAndKicks(a, b);
  await signs(a, b);
  const { exitCode, stderr } = await reload(a);
  expect(exitCode, stderr).toBe(0);
  for (const job of ['PushCommentMsg', 'PushUserNoticeMsg', 'PushSystemNoticeMsg']) {
    const ran = await a.run('crontab', 'run', `--name=${job}`, '--wait');
    expect(ran.exitCode, ran.stderr).toBe(0);
  }
  await ready(a, b);
  await pushes(b, a, 200);
}

async function pushes(a: Daemon, b: Daemon, uid: number): Promise<void> {
  const client = await WsClient.login(b.wsUrl, uid);
  const before = client.items.length;
  const now = await a.post('/api/comment/message', { uid, title: 'across' });
  expect(now.status).toBe(200);
  await a.post('/api/notice/userMessage', { uid, title: 'by the job', deliver: 'cron' });
  await a.post('/api/notice/systemMessage', { title: 'to all' });
  await client.untilItems(before + 2);
  const [id] = now.body.data.ids;
  expect((await client.ask('ack', { ids: [id] })).code).toBe(200);
  expect((await client.ask('read', { ids: [id] })).code).toBe(200);
  expect((await client.ask('list', { limit: 10 })).code).toBe(200);
  expect((await client.ask('unread')).code).toBe(200);
  expect((await b.get(`/api/message/${id}`)).body.data.state).toBe('read');
  // Nobody is there any more: UNSUBSCRIBE.
  await client.close();
  await expect.poll(async () => (await a.get(`/api/user/${uid}`)).body.data.connections).toEqual([]);
}

async function asksAndKicks(a: Daemon, b: Daemon): Promise<void> {
  // After a fail-over they find each other again within some seconds.
  const silent = async (): Promise<unknown> => {
    const { stdout } = await a.run('server', 'status', '--json');
    const { silentNodes, nodes } = JSON.parse(stdout);
    return { silentNodes, nodes: nodes.length };
  };
  await expect.poll(silent, { timeout: 30_000 }).toEqual({ silentNodes: [], nodes: 2 });
  const unheard = async (): Promise<unknown> =>
    (await a.post('/api/user/kick', { uid: 299 })).body.data.silent;
  await expect.poll(unheard, { timeout: 30_000, interval: 500 }).toBeUndefined();
  const uid = 300;
  const clients = [await WsClient.login(a.wsUrl, uid), await WsClient.login(b.wsUrl, uid)];
  const kicked = await a.post('/api/user/kick', { uid });
  expect(kicked.body.data).toMatchObject({ closed: 2 });
  expect(kicked.body.data.silent).toBeUndefined();
  for (const client of clients) await client.untilClosed();
}

/** Nonces in Redis, and refusals that are counted. */
async function signs(a: Daemon, b: Daemon): Promise<void> {
  const headers = a.signature('GET', '/api/user/1');
  expect((await a.get('/api/user/1', headers)).status).toBe(200);
  expect((await b.get('/api/user/1', headers)).status).toBe(401);
  const stranger = await WsClient.connect(a.wsUrl);
  for (let n = 0; n < 40; n += 1) await stranger.ask('login', { ukey: 'nobody' }).catch(() => null);
  await stranger.close().catch(() => null);
}

async function ready(...nodes: readonly Daemon[]): Promise<void> {
  for (const node of nodes) {
    const probe = async () => (await node.get('/readyz')).status;
    await expect.poll(probe, { timeout: 20_000 }).toBe(200);
  }
}

async function spills(node: Daemon, { server }: GrantedMariadb): Promise<void> {
  server.freeze();
  await expect
    .poll(
      async () => (await node.post('/api/comment/message', { uid: 400, title: 'spilled' })).body.data.spilled,
      {
        timeout: 20_000,
      },
    )
    .toBe(1);
  server.thaw();
  const waiting = async () => /^spush_spill_waiting (\d+)$/m.exec(await metricsOf(node))?.[1];
  await expect.poll(waiting, { timeout: 30_000 }).toBe('0');
  await ready(node);
}

async function metricsOf({ url }: Daemon): Promise<string> {
  return await (await fetch(`${url}/metrics`)).text();
}

/** Lines of the log, and of what was printed, that tell of a right that was missing. */
function deniedIn({ home, output }: Daemon): string[] {
  const log = readFileSync(path.join(home, 'Log/websocket.log'), 'utf8');
  return `${log}\n${output}`
    .split('\n')
    .filter((line) => /NOPERM|denied|does not let|ready check|housekeeping\.failed/i.test(line));
}
