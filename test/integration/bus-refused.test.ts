/**
 * Whoever can write to Redis cannot speak for spush: what is forged, repeated, cut off or signed with an old key is sent to
 * the channels of a running node, is refused and counted, and harms nothing.
 */
import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newBusIdentity } from '../../src/platform/bus/bus-identity.js';
import { type BusKey, Envelopes, MESSAGE_BYTES_MAX } from '../../src/platform/bus/redis/envelope.js';
import type { Daemon } from '../support/daemon.js';
import { OwnRedis } from '../support/own-redis.js';
import { canHaveOwnSite, nodeEnv, OwnSite, redisAt, SITE_BUS_KEY } from '../support/own-site.js';
import { startNode } from '../support/start-node.js';
import { WsClient } from '../support/ws-client.js';

const PREFIX = 'refused:';
const ALL = `${PREFIX}all`;
const UID = 7;
const CHANNEL = `${PREFIX}user:${UID}`;
const WORKERS = 2;

describe.skipIf(!canHaveOwnSite())('messages of strangers on the bus', () => {
  const ends: (() => Promise<void>)[] = [];
  let redis: OwnRedis;
  let stranger: Redis;
  let node: Daemon;
  let other: Daemon;
  let client: WsClient;
  let pids: number[];

  beforeAll(async () => {
    const site = await OwnSite.start();
    ends.push(() => site.close());
    redis = await OwnRedis.start({}, (end) => ends.push(end));
    const env = nodeEnv(site.access, await site.mariadb.makeDatabase(), redisAt(redis.port), PREFIX);
    node = await startNode(env);
    ends.push(() => node.dispose());
    other = await startNode(env);
    ends.push(() => other.dispose());
    stranger = new Redis({ host: '127.0.0.1', port: redis.port });
    ends.push(async () => stranger.disconnect());
    client = await WsClient.login(node.wsUrl, UID);
    ends.push(() => client.close());
    pids = [...node.tree(), ...other.tree()].sort();
  });

  afterAll(async () => {
    expect([...node.tree(), ...other.tree()].sort(), 'no process ended').toEqual(pids);
    for (const end of ends.reverse()) await end();
  });

  /** Signed rightly, unless a part says otherwise. */
  function sealed(
    contents: object | string,
    { key = SITE_BUS_KEY, channel = CHANNEL, at = Date.now() }: Sealing = {},
  ): Buffer {
    const sender = { ...newBusIdentity('spush.websocket.Worker.0', 'stranger'), lane: 1 };
    const text = typeof contents === 'string' ? contents : JSON.stringify(contents);
    return new Envelopes([key]).seal(channel, { sender, seq: 1, ts: at, contents: text });
  }

  async function refused(reason: string): Promise<number> {
    const page = await (await fetch(`${node.url}/metrics`)).text();
    return Number(new RegExp(`^spush_bus_refused_total\\{reason="${reason}"\\} (\\d+)`, 'm').exec(page)?.[1]);
  }

  const push = (title: string) => ({
    t: 'push',
    uid: UID,
    items: [
      {
        id: '1500000000000000001',
        kind: 'comment',
        uid: UID,
        title,
        content: '',
        createdAt: Date.now(),
      },
    ],
  });

  test('that are signed with the nodes’ key are believed: what follows is refused for its reason alone', async () => {
    await stranger.publish(CHANNEL, sealed(push('signed')));
    await client.until(() => client.items.some(({ title }) => title === 'signed'));
  });

  test.each<[string, string, () => Buffer]>([
    ['text that is no envelope', 'malformed', () => Buffer.from('hello\n{"t":"push"}')],
    ['random bytes', 'malformed', () => randomBytes(1000)],
    ['an empty message', 'malformed', () => Buffer.alloc(0)],
    ['a head that was cut off', 'malformed', () => sealed(push('x')).subarray(0, 60)],
    ['contents that were cut off', 'forged', () => sealed(push('x')).subarray(0, -3)],
    ['a changed word', 'forged', () => Buffer.from(sealed(push('yes')).toString().replace('yes', 'not'))],
    [
      'a guessed secret',
      'forged',
      () => sealed(push('x'), { key: { ...SITE_BUS_KEY, secret: 'a'.repeat(40) } }),
    ],
    ['a message for another user', 'forged', () => sealed(push('x'), { channel: `${PREFIX}user:8` })],
    ['an old key', 'unknownKey', () => sealed(push('x'), { key: { ...SITE_BUS_KEY, id: 'bus0' } })],
    ['a message of two minutes ago', 'time', () => sealed(push('x'), { at: Date.now() - 120_000 })],
    ['a message from the future', 'time', () => sealed(push('x'), { at: Date.now() + 120_000 })],
    ['a signed push for somebody else', 'badContents', () => sealed({ ...push('x'), uid: 8 })],
    ['signed words that do not exist', 'badContents', () => sealed({ t: 'shutdown' })],
    ['signed text that is not JSON', 'badContents', () => sealed('{"t":"push"')],
    ['signed nonsense with prototype keys', 'badContents', () => sealed('{"__proto__":{"t":"push"}}')],
    ['more bytes than a message may have', 'tooLarge', () => Buffer.alloc(MESSAGE_BYTES_MAX + 1, 120)],
  ])('%s is refused as %s', async (_name, reason, make) => {
    const before = await refused(reason);
    const seen = client.items.length;
    expect(await stranger.publish(CHANNEL, make())).toBe(1);
    await expect.poll(() => refused(reason)).toBe(before + 1);
    await client.ask('ping');
    expect(client.items).toHaveLength(seen);
  });

  test('to everybody are refused by every Worker', async () => {
    const before = await refused('forged');
    const item = { id: '1500000000000000002', kind: 'systemNotice', title: 'x', content: '', createdAt: 1 };
    const forged = sealed(
      { t: 'notice', item },
      { channel: ALL, key: { ...SITE_BUS_KEY, secret: 'b'.repeat(40) } },
    );
    await stranger.publish(ALL, forged);
    await expect.poll(() => refused('forged')).toBe(before + WORKERS);
    await client.ask('ping');
    expect(client.items.some(({ kind }) => kind === 'systemNotice')).toBe(false);
  });

  test('that were listened to and are sent again are refused', async () => {
    const listener = stranger.duplicate();
    ends.push(async () => listener.disconnect());
    const heard = new Promise<Buffer>((resolve) => {
      listener.on('messageBuffer', (_channel: Buffer, message: Buffer) => resolve(message));
    });
    await listener.subscribe(CHANNEL);
    const posted = await other.post('/api/comment/message', { uid: UID, title: 'once' });
    const message = await heard;
    const [id] = posted.body.data.ids;
    await client.until(() => client.items.some((item) => item.id === id));
    const before = await refused('replayed');
    for (let n = 0; n < 5; n += 1) await stranger.publish(CHANNEL, message);
    await expect.poll(() => refused('replayed')).toBe(before + 5);
    await client.ask('ping');
    expect(client.items.filter((item) => item.id === id)).toHaveLength(1);
  });

  test('in a flood stop nobody: news arrives, and the node is ready', async () => {
    const pipeline = stranger.pipeline();
    for (let n = 0; n < 5000; n += 1) pipeline.publish(n % 2 ? CHANNEL : ALL, randomBytes(200));
    await pipeline.exec();
    const posted = await other.post('/api/comment/message', { uid: UID, title: 'after the flood' });
    expect(posted.status).toBe(200);
    await client.until(() => client.items.some(({ title }) => title === 'after the flood'));
    expect((await node.get('/readyz')).status).toBe(200);
    const { body } = await other.get(`/api/user/${UID}`);
    expect(body.data.connections).toHaveLength(1);
    expect(body.data.silent).toBeUndefined();
  });
});

interface Sealing {
  readonly key?: BusKey;
  readonly channel?: string;
  readonly at?: number;
}
