/** `user show` and `message show` of a node of PUSHENV 0, and of two nodes with one database and one Redis, whole and in part away. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import {
  type MessageShown,
  messageShownSchema,
  type UserShown,
  userShownSchema,
} from '../../src/shared/protocol/inspections.js';
import { Daemon } from '../support/daemon.js';
import { OwnRedis, redisProgram, until } from '../support/own-redis.js';
import { canHaveOwnSite, nodeEnv, OwnSite, redisAt } from '../support/own-site.js';
import { startNode } from '../support/start-node.js';
import { WsClient } from '../support/ws-client.js';

/** The command line's own patience, and what it needs to start on a busy machine. */
const ANSWERED_MS = 8000;
const UNKNOWN = '1999999999999999999';
const TEXT = { title: 'MARKED title', content: 'MARKED content' };

async function ask(daemon: Daemon, ...words: string[]) {
  const begun = performance.now();
  const result = await daemon.run(...words);
  expect(performance.now() - begun).toBeLessThan(ANSWERED_MS);
  expect(result.stdout + result.stderr).not.toContain('MARKED');
  return result;
}

async function user(daemon: Daemon, uid: number): Promise<{ shown: UserShown; exit: number | null }> {
  const { stdout, exitCode } = await ask(daemon, 'user', 'show', String(uid), '--json');
  return { shown: userShownSchema.parse(JSON.parse(stdout)), exit: exitCode };
}

async function message(daemon: Daemon, id: string): Promise<MessageShown> {
  const { stdout, stderr } = await ask(daemon, 'message', 'show', id, '--json');
  expect(stderr).toBe('');
  return messageShownSchema.parse(JSON.parse(stdout));
}

async function push(daemon: Daemon, fields: Record<string, unknown>): Promise<string> {
  const { status, body } = await daemon.post('/api/comment/message', { ...TEXT, ...fields });
  expect(status).toBe(200);
  return body.data.ids[0];
}

/** Closed with the test, whatever became of it. */
async function reader(wsUrl: string, uid: number): Promise<void> {
  const client = await WsClient.login(wsUrl, uid);
  onTestFinished(() => client.close());
}

describe('a node of PUSHENV 0', () => {
  let daemon: Daemon;
  beforeAll(async () => {
    daemon = await Daemon.start({ env: { SPUSH_WORKER_NUM: '2' } });
  });
  afterAll(() => daemon.dispose());

  test('tells the life of a message, and what its reader has still to get', async () => {
    const id = await push(daemon, { uid: 7, collapse: 'k' });
    expect(await message(daemon, id)).toMatchObject({
      state: 'pending',
      uid: 7,
      storedIn: 'store',
      node: null,
    });
    expect(await user(daemon, 7)).toMatchObject({
      exit: 0,
      shown: {
        known: true,
        connections: [],
        silent: [],
        store: { pending: 1, next: [id], unread: { total: 1 } },
      },
    });
    const client = await WsClient.login(daemon.wsUrl, 7, { ack: true, device: 'phone' });
    await client.event('push');
    await until('it is marked sent', async () => (await message(daemon, id)).state === 'sent');
    const { shown } = await user(daemon, 7);
    expect(shown.connections).toMatchObject([
      { channel: 'web', device: 'phone', address: '127.0.0.1', ack: true, unsentBytes: 0, leftOut: false },
    ]);
    expect(shown.store?.kinds.comment).toMatchObject({ count: 1, sent: 1, held: 0 });
    await client.ask('ack', { ids: [id] });
    expect(await message(daemon, id)).toMatchObject({ state: 'acked', settled: true });
    expect((await user(daemon, 7)).shown.store).toMatchObject({ pending: 0, next: [] });
    await client.close();
  });

  test('names what took the place of a message, and the job that one waits for', async () => {
    const older = await push(daemon, { uid: 8, collapse: 'k' });
    const newer = await push(daemon, { uid: 8, collapse: 'k', deliver: 'cron' });
    expect(await message(daemon, older)).toMatchObject({ state: 'replaced', replacedBy: newer });
    expect(await message(daemon, newer)).toMatchObject({ state: 'pending', waitsForJob: 'PushCommentMsg' });
    expect((await user(daemon, 8)).shown.store).toMatchObject({ pending: 1, next: [] });
  });

  test('nobody knows a user or message that is nowhere', async () => {
    const { stdout, exitCode } = await ask(daemon, 'user', 'show', '404404');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^nobody knows user 404404/);
    const unknown = await ask(daemon, 'message', 'show', UNKNOWN);
    expect(unknown).toMatchObject({ exitCode: 1, stdout: '', stderr: expect.stringContaining('is unknown') });
  });

  test('a Worker that hangs is named, and not waited for', async () => {
    const [title = '', pid = 0] = [...daemon.children()].find(([name]) => name.includes('.Worker.')) ?? [];
    process.kill(pid, 'SIGSTOP');
    try {
      expect(await user(daemon, 7)).toMatchObject({ exit: 4, shown: { silent: [title], store: {} } });
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });
});

describe.skipIf(!canHaveOwnSite() || redisProgram() === null)('two nodes', { timeout: 240_000 }, () => {
  const ends: (() => Promise<void>)[] = [];
  let site: OwnSite;
  let redis: OwnRedis;
  let [web1, web2]: Daemon[] = [];
  const nodes = () => {
    if (!web1 || !web2) throw new Error('not started');
    return { web1, web2 };
  };

  beforeAll(async () => {
    redis = await OwnRedis.start({}, (end) => void ends.push(end));
    site = await OwnSite.start();
    ends.push(() => site.close());
    const env = nodeEnv(site.access, await site.mariadb.makeDatabase(), redisAt(redis.port));
    const start = async (name: string): Promise<Daemon> => {
      const daemon = await startNode({ ...env, SPUSH_NODE_NAME: name, SPUSH_DB_SPILL: 'true' });
      ends.push(() => daemon.dispose());
      return daemon;
    };
    web1 = await start('web1');
    web2 = await start('web2');
    await until('they know each other', async () => {
      const { stdout } = await nodes().web1.run('server', 'status', '--json');
      return JSON.parse(stdout).nodes?.length === 2;
    });
  }, 180_000);

  afterAll(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  }, 60_000);

  test('tell the connections on both, wherever they are asked', async () => {
    const { web1, web2 } = nodes();
    for (const { wsUrl } of [web1, web2]) await reader(wsUrl, 9);
    const id = await push(web2, { uid: 9 });
    for (const daemon of [web1, web2]) {
      const { shown, exit } = await user(daemon, 9);
      expect({ exit, silent: shown.silent }).toEqual({ exit: 0, silent: [] });
      expect(shown.connections.map(({ node, address, ack }) => [node, address, ack])).toEqual([
        ['web1', '127.0.0.1', true],
        ['web2', '127.0.0.1', true],
      ]);
      expect(await message(daemon, id)).toMatchObject({ uid: 9, storedIn: 'store' });
    }
    const { exitCode, stderr } = await ask(web1, 'message', 'show', UNKNOWN);
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringContaining('is unknown') });
  });

  test('name the processes of the other node that hang', async () => {
    const { web1, web2 } = nodes();
    const pids = [...web2.children()].flatMap(([title, pid]) => (title.includes('.Worker.') ? [pid] : []));
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    try {
      const { shown, exit } = await user(web1, 9);
      expect(exit).toBe(4);
      expect(shown.silent.sort()).toEqual([
        expect.stringMatching(/^web2-[0-9a-f]{8}\/spush\.websocket\.Worker\.0$/),
        expect.stringMatching(/^web2-[0-9a-f]{8}\/spush\.websocket\.Worker\.1$/),
      ]);
      const unknown = await ask(web1, 'message', 'show', UNKNOWN);
      expect(unknown).toMatchObject({
        exitCode: 4,
        stderr: expect.stringContaining('no answer from: web2-'),
      });
    } finally {
      for (const pid of pids) process.kill(pid, 'SIGCONT');
    }
    await until('they answer again', async () => (await user(web1, 9)).exit === 0);
  });

  test('tell what they know of while Redis is away', async () => {
    const { web1 } = nodes();
    await reader(web1.wsUrl, 9);
    await redis.kill();
    await until('that is noticed', async () => (await user(web1, 9)).exit === 4);
    const { shown } = await user(web1, 9);
    expect(shown.silent).toEqual(['other nodes: Redis is not reached']);
    expect(shown).toMatchObject({ known: true, connections: [{ node: 'web1' }], storeFault: null });
    expect((await user(web1, 404_404)).shown.known).toBe(null);
    await redis.restart();
    await until('all answer again', async () => (await user(web1, 9)).exit === 0);
  });

  test('find a message in the spill of the other node while the database is away, and say what cannot be known', async () => {
    const { web1, web2 } = nodes();
    await reader(web1.wsUrl, 10);
    for (const away of ['frozen', 'gone']) {
      if (away === 'frozen') site.mariadb.freeze();
      else await site.mariadb.kill();
      const id = await push(web2, { uid: 10 });
      expect(await message(web1, id)).toMatchObject({ storedIn: 'spill', node: 'web2', uid: 10 });
      const { shown, exit } = await user(web1, 10);
      expect(exit).toBe(1);
      expect(shown).toMatchObject({
        known: true,
        connections: [{ node: 'web1' }],
        store: null,
        storeFault: { code: 'STORE_UNAVAILABLE' },
        spilled: [{ node: 'web2', pending: 1 }],
      });
      const unknown = await ask(web1, 'message', 'show', UNKNOWN);
      expect(unknown).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('cannot be known now') });
      if (away === 'frozen') site.mariadb.thaw();
      else await site.mariadb.run();
      await until('it has moved', async () => {
        const { stdout, exitCode } = await web1.run('message', 'show', id, '--json');
        return exitCode === 0 && JSON.parse(stdout).storedIn === 'store';
      });
    }
  });
});
