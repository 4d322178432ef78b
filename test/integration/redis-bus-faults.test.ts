/**
 * What happens to the bus between nodes when Redis or the way to it fails. The failures that matter are the silent ones:
 * connections that stay open and bring nothing.
 */
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Channels } from '../../src/platform/bus/redis/channels.js';
import { Envelopes } from '../../src/platform/bus/redis/envelope.js';
import { keySlot } from '../../src/platform/bus/redis/key-slot.js';
import { HERE_EVERY_MS } from '../../src/platform/bus/redis/members.js';
import { claimOnce, RedisNonces } from '../../src/platform/bus/redis/redis-nonces.js';
import { systemClock } from '../../src/platform/clock/system-clock.js';
import { type Clock, msLater } from '../../src/shared/base/clock.js';
import { marksOf, pushTo } from '../contract/bus-contract.js';
import { BlackHole } from '../support/black-hole.js';
import { freePort } from '../support/daemon.js';
import { OwnRedis, redisProgram, startCluster, startSentinels, until } from '../support/own-redis.js';
import { BUS_KEY, joinRedis, type RedisMember, redisConfig } from '../support/redis-buses.js';
import { tempFolder } from '../support/temp-folder.js';

const FOUND_MS = 5000;
const UIDS = Array.from({ length: 40 }, (_, n) => 100 + n);

async function followAll({ bus }: RedisMember): Promise<void> {
  await Promise.all(UIDS.map((uid) => bus.follow(uid)));
}

/** From `since` on, how long until it said that it is not well. */
async function foundAfter({ health }: RedisMember, since: number): Promise<number> {
  const found = () => health.find(({ healthy, at }) => !healthy && at >= since);
  await until('the fault is found', () => found() !== undefined, 8000);
  return (found()?.at ?? Number.POSITIVE_INFINITY) - since;
}

const well = (...members: RedisMember[]) =>
  until('all are well again', () => members.every(({ bus }) => bus.healthy), 25_000);

/** Everybody who is followed gets what is published now, exactly once. */
async function expectAllReached(from: RedisMember, to: RedisMember, mark: number): Promise<void> {
  for (const uid of UIDS) from.bus.publish(pushTo(uid, mark));
  const come = () => marksOf(to.events).filter((seen) => seen === mark).length;
  await until('all users are reached', () => come() === UIDS.length, 5000);
}

/** It is told of the gap when everything is subscribed again, whatever others, who lost something too, told it before. */
function expectGapAfterUp({ story }: RedisMember): void {
  expect(story).toContain('down');
  expect(story.slice(story.lastIndexOf('up'))).toContain('gap');
}

/** What was published at a moment is within every gap that was told; and not much before it is. */
function expectGapsFrom({ gapsSince }: RedisMember, unixMs: number): void {
  expect(gapsSince.length).toBeGreaterThan(0);
  for (const since of gapsSince) {
    expect(since).toBeLessThanOrEqual(unixMs);
    expect(since).toBeGreaterThan(unixMs - 10_000);
  }
}

describe.skipIf(redisProgram() === null)('one server', () => {
  it('is killed and started again: found at once, followed again, the gap told after that', async () => {
    const server = await OwnRedis.start();
    const redis = redisConfig({ port: server.port });
    const [a, b] = [await joinRedis(redis), await joinRedis(redis)];
    await followAll(b);
    const at = performance.now();
    const killedAt = Date.now();
    await server.kill();
    expect(await foundAfter(b, at)).toBeLessThan(FOUND_MS);
    await expect(b.bus.probe({ deadlineMs: 500 })).rejects.toMatchObject({ code: 'RPC_PEER_GONE' });
    a.bus.publish(pushTo(100, 5));
    b.bus.publish(pushTo(101, 6));
    expect(a.bus.counts.dropped).toBe(0);
    await server.restart();
    await well(a, b);
    expectGapAfterUp(b);
    expectGapsFrom(b, killedAt);
    await expectAllReached(a, b, 1);
    // Its own came without Redis, and not a second time.
    expect(marksOf(b.events).filter((mark) => mark === 6)).toHaveLength(1);
  });

  it('is frozen: found within five seconds, and well again when it goes on', async () => {
    const server = await OwnRedis.start();
    const redis = redisConfig({ port: server.port });
    const [a, b] = [await joinRedis(redis), await joinRedis(redis)];
    await followAll(b);
    const at = performance.now();
    server.freeze();
    await expect(b.bus.probe({ deadlineMs: 400 })).rejects.toMatchObject({ code: 'RPC_TIMEOUT' });
    expect(await foundAfter(b, at)).toBeLessThan(FOUND_MS);
    server.goOn();
    await well(a, b);
    expectGapAfterUp(b);
    await expectAllReached(a, b, 1);
  });

  it('is behind a way that swallows everything: found within five seconds, others hear of what was lost', async () => {
    const server = await OwnRedis.start();
    const hole = await BlackHole.open(server.port);
    const redis = redisConfig({ port: server.port });
    const a = await joinRedis({ ...redis, port: hole.port });
    const b = await joinRedis(redis);
    await followAll(a);
    await followAll(b);
    const at = performance.now();
    const swallowedAt = Date.now();
    hole.swallow();
    a.bus.publish(pushTo(100, 5));
    expect(await foundAfter(a, at)).toBeLessThan(FOUND_MS);
    expect(b.health.filter(({ healthy }) => !healthy)).toEqual([]);
    hole.heal();
    await well(a, b);
    expectGapAfterUp(a);
    await until('b is told that it misses something', () => b.gaps() > 0);
    expect(a.bus.counts.dropped).toBeGreaterThan(0);
    for (const one of [a, b]) expectGapsFrom(one, swallowedAt);
    await expectAllReached(b, a, 1);
    await expectAllReached(a, b, 2);
    await hole.close();
  });

  it('is the only one to know of a process that died with its news: others miss it and have a gap, once', async () => {
    const server = await OwnRedis.start();
    const hole = await BlackHole.open(server.port);
    const redis = redisConfig({ port: server.port });
    const dying = await joinRedis({ ...redis, port: hole.port });
    const [b, c] = [await joinRedis(redis), await joinRedis(redis)];
    // Each says every two seconds that it is there.
    await new Promise((resolve) => setTimeout(resolve, 2500));
    const diedAt = Date.now();
    hole.swallow();
    dying.bus.publish(pushTo(7, 5));
    for (const one of [b, c]) {
      await until('the silence is noticed', () => one.gaps() > 0, 10_000);
      expectGapsFrom(one, diedAt);
    }
    await new Promise((resolve) => setTimeout(resolve, 5000));
    expect([b.gaps(), c.gaps()]).toEqual([1, 1]);
    await hole.close();
  });

  it('is shared with one that was held up itself, which blames nobody for what it has still to read', async () => {
    const redis = redisConfig({ port: (await OwnRedis.start()).port });
    let heldMs = 0;
    const clock: Clock = { ...systemClock, moment: () => msLater(systemClock.moment(), heldMs) };
    const a = await joinRedis(redis, { clock, answer: () => ({ connections: [] }) });
    const b = await joinRedis(redis, { answer: () => ({ connections: [] }) });
    const answers = async () => (await a.bus.ask('online', { uid: 7 }, { deadlineMs: 200 })).answers.length;
    await expect.poll(answers, { timeout: 5000 }).toBe(2);
    heldMs = 90_000;
    await new Promise((resolve) => setTimeout(resolve, 2.5 * HERE_EVERY_MS));
    expect(a.log.lines.filter(({ event }) => event === 'bus.silent')).toEqual([]);
    expect([a.gaps(), b.gaps(), await answers()]).toEqual([0, 0, 2]);
  });

  it('carries it to all when a process died whose node noticed', async () => {
    const server = await OwnRedis.start();
    const redis = redisConfig({ port: server.port });
    const [sibling, other] = [await joinRedis(redis), await joinRedis(redis)];
    const diedAt = Date.now();
    sibling.bus.siblingDied();
    expect(sibling.gaps()).toBe(1);
    await until('the other one is told', () => other.gaps() === 1, 1000);
    for (const one of [sibling, other]) expectGapsFrom(one, diedAt);
  });

  it('swallows what it brings to the subscribed connection alone: found, as the probe does not come back', async () => {
    const server = await OwnRedis.start();
    const hole = await BlackHole.open(server.port);
    const redis = redisConfig({ port: server.port });
    const a = await joinRedis(redis);
    const b = await joinRedis({ ...redis, port: hole.port });
    await followAll(b);
    const at = performance.now();
    hole.swallow({ onlyAfter: 'subscribe' });
    expect(await foundAfter(b, at)).toBeLessThan(FOUND_MS);
    expect(performance.now() - at).toBeGreaterThan(1000);
    hole.heal();
    await well(a, b);
    expectGapAfterUp(b);
    await expectAllReached(a, b, 1);
    await hole.close();
  });

  it('is used over TLS, with a certificate that is checked', async () => {
    const folder = tempFolder();
    const [cert, key] = [path.join(folder, 'own.crt'), path.join(folder, 'own.key')];
    const openssl =
      'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost';
    const names = ['-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', cert];
    execFileSync('openssl', [...openssl.split(' '), ...names], { stdio: 'ignore' });
    const port = await freePort();
    await OwnRedis.start({
      'tls-port': String(port),
      'tls-cert-file': cert,
      'tls-key-file': key,
      'tls-auth-clients': 'no',
    });
    const conf = { host: 'localhost', port, tls: true };
    const redis = redisConfig({ ...conf, tlsCa: cert });
    const [a, b] = [await joinRedis(redis), await joinRedis(redis)];
    await followAll(b);
    await expectAllReached(a, b, 1);
    await expect(joinRedis(redisConfig(conf))).rejects.toThrow(/certificate.*redis\.tlsCa/);
  });

  it('becomes a replica: the subscription survives and is given up within five seconds', async () => {
    const server = await OwnRedis.start();
    const other = await OwnRedis.start();
    const b = await joinRedis(redisConfig({ port: server.port }));
    await followAll(b);
    const at = performance.now();
    await server.command('REPLICAOF', '127.0.0.1', String(other.port));
    expect(await foundAfter(b, at)).toBeLessThan(FOUND_MS);
    await server.command('REPLICAOF', 'NO', 'ONE');
    await well(b);
    expectGapAfterUp(b);
  });

  it('keeps the news of a short absence, drops what is too much, counts it and tells the others', async () => {
    const server = await OwnRedis.start();
    const redis = redisConfig({ port: server.port });
    const [a, b] = [await joinRedis(redis), await joinRedis(redis)];
    await b.bus.follow(7);
    await server.kill();
    await until('both have noticed', () => !a.bus.healthy && !b.bus.healthy);
    const big = pushTo(7, 1, 50);
    const items = big.t === 'push' ? big.items.map((item) => ({ ...item, content: 'x'.repeat(20_000) })) : [];
    for (let n = 0; n < 40; n += 1) a.bus.publish({ t: 'push', uid: 7, items });
    expect(a.bus.counts.dropped).toBeGreaterThan(20);
    expect(a.bus.counts.dropped).toBeLessThan(30);
    await server.restart();
    await well(a, b);
    // Its own gap, or that of a, whichever is later: what a dropped is before both.
    await until('b is told of a gap', () => b.gaps() > 0);
    await a.bus.probe({ deadlineMs: 2000 });
    await b.bus.probe({ deadlineMs: 2000 });
    a.bus.publish(pushTo(7, 2));
    await until('news comes again', () => marksOf(b.events).includes(2));
  });

  it('is asked for a user of another node that is frozen: the answer comes in 300 ms and names it', async () => {
    const server = await OwnRedis.start();
    const hole = await BlackHole.open(server.port);
    const redis = redisConfig({ port: server.port });
    const [a, b] = [
      await joinRedis(redis, { answer: () => ({ closed: 1 }) }),
      await joinRedis({ ...redis, port: hole.port }, { answer: () => ({ closed: 2 }) }),
    ];
    const ask = () => a.bus.ask('kick', { uid: 7, reason: 'r' }, { deadlineMs: 5000 });
    await until('they know each other', async () => (await ask()).answers.length === 2);
    hole.swallow();
    const begun = performance.now();
    const { answers, silent } = await ask();
    expect(performance.now() - begun).toBeLessThan(400);
    expect([answers.length, silent]).toEqual([1, [b.name]]);
    hole.heal();
    await until('it answers again', async () => (await ask()).answers.length === 2);
    await b.bus.close();
    await until('it has said good-bye', async () => (await ask()).silent.length === 0);
    await hole.close();
  });

  it('a kick reaches those who were cut off when it was made, as soon as they are back', async () => {
    const server = await OwnRedis.start();
    const hole = await BlackHole.open(server.port);
    const redis = redisConfig({ port: server.port });
    const kicks: unknown[] = [];
    const answer = (_question: string, args: unknown) => {
      kicks.push(args);
      return { closed: 1 };
    };
    const [a, b] = [
      await joinRedis(redis, { answer: () => ({ closed: 0 }) }),
      await joinRedis({ ...redis, port: hole.port }, { answer }),
    ];
    const kick = (uid: number) => a.bus.ask('kick', { uid, reason: 'r' }, { deadlineMs: 5000 });
    await until('they know each other', async () => (await kick(1)).answers.length === 2);
    hole.swallow();
    await until('it is away', () => a.log.lines.some(({ event }) => event === 'bus.silent'));
    // Long forgotten among those who are asked.
    await sleep(6000);
    const { silent, answers } = await kick(7);
    expect([answers.length, silent]).toEqual([1, [b.name]]);
    expect((await a.bus.ask('online', { uid: 7 }, { deadlineMs: 500 })).silent).toContain(b.name);
    kicks.length = 0;
    hole.heal();
    await until('it hears of it', () => kicks.some((args) => (args as { uid: number }).uid === 7));
    expect(kicks).toContainEqual({ uid: 7, reason: 'r', late: true });
    await until('it answers again', async () => (await kick(8)).answers.length === 2);
    expect((await kick(8)).silent).toEqual([]);
    await hole.close();
  }, 60_000);

  it('a kick reaches those whose connection broke for a moment, or who come up later than others', async () => {
    const server = await OwnRedis.start();
    const redis = redisConfig({ port: server.port });
    const kicks: unknown[] = [];
    const answer = (_question: string, args: unknown) => {
      kicks.push(args);
      return { closed: 1 };
    };
    const a = await joinRedis(redis, { answer: () => ({ closed: 0 }) });
    const b = await joinRedis(redis, { answer });
    const kick = (uid: number) => a.bus.ask('kick', { uid, reason: 'r' }, { deadlineMs: 5000 });
    await until('they know each other', async () => (await kick(1)).answers.length === 2);
    await server.kill();
    await until(
      'both have noticed',
      () => a.health.at(-1)?.healthy === false && b.health.at(-1)?.healthy === false,
    );
    await kick(7);
    await server.restart();
    await until('it hears of it', () => kicks.some((args) => (args as { uid: number }).uid === 7));
    expect(kicks).toContainEqual({ uid: 7, reason: 'r', late: true });
    // Once for each who was deaf, not again and again.
    await sleep(3 * HERE_EVERY_MS);
    expect(kicks.filter((args) => (args as { uid: number }).uid === 7).length).toBeLessThanOrEqual(3);
  }, 60_000);

  it.each([
    'has said good-bye',
    'has died without a word',
  ])('a kick whose asker %s is told by others, and no process hears a kick twice', async (how) => {
    const server = await OwnRedis.start();
    const [hole, askersHole] = [await BlackHole.open(server.port), await BlackHole.open(server.port)];
    const redis = redisConfig({ port: server.port });
    const kicks: { uid: number; late?: boolean }[] = [];
    const answer = (_question: string, args: unknown) => {
      kicks.push(args as { uid: number });
      return { closed: 1 };
    };
    const a = await joinRedis({ ...redis, port: askersHole.port }, { answer: () => ({ closed: 0 }) });
    // Holds no sockets, as a TaskWorker; it stays when the Workers of its node are replaced.
    await joinRedis(redis);
    const b = await joinRedis({ ...redis, port: hole.port }, { answer });
    const kick = (uid: number) => a.bus.ask('kick', { uid, reason: 'r' }, { deadlineMs: 5000 });
    await until('they know each other', async () => (await kick(1)).answers.length === 2);
    await kick(5);
    hole.swallow();
    await kick(7);
    if (how === 'has said good-bye') await a.bus.close();
    else askersHole.swallow();
    await until('it has noticed', () => b.health.at(-1)?.healthy === false);
    hole.heal();
    await until('it hears of it', () => kicks.some(({ uid }) => uid === 7));
    await sleep(2 * HERE_EVERY_MS);
    expect(kicks.filter(({ uid }) => uid === 7)).toEqual([{ uid: 7, reason: 'r', late: true }]);
    expect(kicks.filter(({ uid }) => uid === 5)).toEqual([{ uid: 5, reason: 'r' }]);
    for (const each of [hole, askersHole]) await each.close();
  }, 60_000);

  it('keeps a nonce on all nodes, and each node keeps it alone while Redis is away', async () => {
    const server = await OwnRedis.start();
    const redis = redisConfig({ port: server.port });
    const [a, b] = [await joinRedis(redis), await joinRedis(redis)];
    const own = () => {
      const used = new Set<string>();
      return {
        claim: async (key: string, nonce: string) => !used.has(key + nonce) && used.add(key + nonce).size > 0,
      };
    };
    const [atA, atB] = [a, b].map(({ bus, log }) =>
      claimOnce(own(), new RedisNonces(bus), { log, clock: systemClock }),
    );
    const soon = Math.floor(Date.now() / 1000);
    expect(await atA?.claim('key', 'nonce-1', soon)).toBe(true);
    expect(await atB?.claim('key', 'nonce-1', soon)).toBe(false);
    expect(await atB?.claim('key', 'nonce-2', soon)).toBe(true);
    await server.kill();
    await until('both have noticed', () => !a.bus.healthy && !b.bus.healthy);
    expect(await atA?.claim('key', 'nonce-3', soon)).toBe(true);
    expect(await atA?.claim('key', 'nonce-3', soon)).toBe(false);
    expect(a.log.lines.map(({ event }) => event)).toContain('nonce.ownNodeOnly');
    await server.restart();
    await well(a, b);
    expect(await atA?.claim('key', 'nonce-3', soon)).toBe(false);
  });
});

describe.skipIf(redisProgram() === null)('a start', () => {
  it('fails with address, error and advice when nothing listens', async () => {
    const start = joinRedis(redisConfig({ port: 1 }));
    await expect(start).rejects.toMatchObject({ code: 'START_FAILED' });
    await expect(start).rejects.toThrow(/127\.0\.0\.1:1 .*ECONNREFUSED.*redis\.host/);
  });

  it('fails when the password is wrong or missing, and never shows it', async () => {
    const server = await OwnRedis.start({ requirepass: 'the right one' });
    for (const password of ['a wrong one', '']) {
      const error: unknown = await joinRedis(redisConfig({ port: server.port, password })).catch((e) => e);
      expect(error).toMatchObject({ code: 'START_FAILED' });
      expect(String(error)).toMatch(/(WRONGPASS|NOAUTH).*SPUSH_REDIS_PASSWORD/);
      expect(String(error)).not.toContain('a wrong one');
    }
    const right = await joinRedis(redisConfig({ port: server.port, password: 'the right one' }));
    expect(right.bus.healthy).toBe(true);
  });

  it('fails against a server that answers nothing, within some seconds', async () => {
    const server = await OwnRedis.start();
    server.freeze();
    await expect(joinRedis(redisConfig({ port: server.port }))).rejects.toThrow(/does not answer within/);
    server.goOn();
  });

  it('names what is wrong with Sentinels and Clusters', async () => {
    const server = await OwnRedis.start();
    const here = [`127.0.0.1:${server.port}`];
    await expect(joinRedis(redisConfig({ nodes: here }))).rejects.toThrow(
      /redis\.host.*instead of redis\.nodes/,
    );
    const asSentinel = joinRedis(redisConfig({ sentinels: here, sentinelName: 'x' }));
    await expect(asSentinel).rejects.toThrow(/no Sentinel answers/);
  });

  it('of a process that is started again goes on without Redis, which it follows when it comes', async () => {
    const server = await OwnRedis.start();
    const redis = redisConfig({ port: server.port });
    await server.kill();
    const b = await joinRedis(redis, {}, false);
    const followed = b.bus.follow(100).catch((error: unknown) => error);
    expect(b.bus.healthy).toBe(false);
    await server.restart();
    await well(b);
    await followed;
    const a = await joinRedis(redis);
    a.bus.publish(pushTo(100, 1));
    await until('it comes', () => b.events.length === 1);
  });
});

describe.skipIf(redisProgram() === null)('what somebody else writes to Redis', () => {
  it('is refused and counted by reason, logged seldom, and disturbs nothing', async () => {
    const server = await OwnRedis.start();
    const redis = redisConfig({ port: server.port });
    const old = { id: 'old', secret: 'a key that was taken away, long enough too' };
    const b = await joinRedis(redis);
    await b.bus.follow(7);
    const channel = new Channels(redis.prefix, { node: 'n', process: 'p' }).user(7);
    const sender = { node: 'n-1', process: 'p', lane: 1 };
    const contents = JSON.stringify(pushTo(7, 1));
    const seal = (seq: number, key = BUS_KEY, ts = Date.now(), text = contents, on = channel) =>
      new Envelopes([key]).seal(on, { sender, seq, ts, contents: text });
    const send = (message: Buffer | string) => server.command('PUBLISH', channel, message);
    const good = seal(10);

    await send(good);
    await send(good);
    await send(seal(9));
    await send(seal(11, { ...BUS_KEY, secret: 'somebody who does not know the secret, ha' }));
    await send(Buffer.concat([good.subarray(0, -3), Buffer.from('9}]')]));
    await send(seal(12, old));
    await send(good.subarray(0, 40));
    await send(good.subarray(0, good.length - 5));
    await send(contents);
    await send('');
    await send(seal(13, BUS_KEY, Date.now() - 61_000));
    await send(seal(14, BUS_KEY, Date.now() + 61_000));
    await send(seal(15, BUS_KEY, Date.now(), JSON.stringify(pushTo(8))));
    await send(seal(16, BUS_KEY, Date.now(), '{"t":"lost"}'));
    await send(seal(17, BUS_KEY, Date.now(), '[1'));
    await send(seal(18, BUS_KEY, Date.now(), contents, 'another-channel'));
    await send(Buffer.alloc(9 * 1024 * 1024, 'x'));
    await send(seal(19));
    await b.bus.probe({ deadlineMs: 2000 });

    expect(b.events).toHaveLength(2);
    expect(b.gaps()).toBe(0);
    expect(b.bus.counts.refused).toEqual({
      replayed: 2,
      forged: 4,
      unknownKey: 1,
      malformed: 3,
      time: 2,
      badContents: 3,
      tooLarge: 1,
    });
    const lines = b.log.lines.filter(({ event }) => event === 'bus.refused');
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.length).toBeLessThan(4);
    expect(JSON.stringify(lines)).not.toContain('secret');
  });

  it('is understood while keys are changed: the first signs, all are accepted', async () => {
    const server = await OwnRedis.start();
    const next = { id: 'b', secret: 'the key that comes next, which is long too' };
    const redis = redisConfig({ port: server.port });
    const a = await joinRedis({ ...redis, busKeys: [next, BUS_KEY] });
    const b = await joinRedis({ ...redis, busKeys: [BUS_KEY, next] });
    await a.bus.follow(7);
    await b.bus.follow(8);
    a.bus.publish(pushTo(8));
    b.bus.publish(pushTo(7));
    await until('both have come', () => a.events.length === 1 && b.events.length === 1);
  });
});

describe.skipIf(redisProgram() === null)('Sentinels', () => {
  async function setUp() {
    const { servers, sentinels, name, primaryPort } = await startSentinels();
    const addresses = sentinels.map(({ port }) => `127.0.0.1:${port}`);
    const redis = redisConfig({ sentinels: addresses, sentinelName: name });
    const [a, b] = [await joinRedis(redis), await joinRedis(redis)];
    await followAll(b);
    return { servers, sentinels, name, primaryPort, a, b };
  }

  it('name another primary when theirs is killed', async () => {
    const { servers, primaryPort, a, b } = await setUp();
    const at = performance.now();
    await servers[0].kill();
    expect(await foundAfter(b, at)).toBeLessThan(FOUND_MS);
    await until('the replica is promoted', async () => (await primaryPort()) === servers[1].port, 20_000);
    await well(a, b);
    expectGapAfterUp(b);
    await expectAllReached(a, b, 1);
  });

  it('name another primary when theirs is frozen, and the old one comes back as a replica', async () => {
    const { servers, primaryPort, a, b } = await setUp();
    const at = performance.now();
    servers[0].freeze();
    expect(await foundAfter(b, at)).toBeLessThan(FOUND_MS);
    await until('the replica is promoted', async () => (await primaryPort()) === servers[1].port, 20_000);
    await well(a, b);
    expectGapAfterUp(b);
    await expectAllReached(a, b, 1);
    servers[0].goOn();
    await expectAllReached(a, b, 2);
  });

  it('are told to change the primary: the subscription to the demoted one is given up', async () => {
    const { servers, sentinels, name, primaryPort, a, b } = await setUp();
    const at = performance.now();
    await sentinels[0]?.command('SENTINEL', 'FAILOVER', name);
    await until('the replica is promoted', async () => (await primaryPort()) === servers[1].port, 20_000);
    await until('b has moved', () => b.gaps() > 0 && b.bus.healthy, FOUND_MS + 5000);
    expect(performance.now() - at).toBeLessThan(15_000);
    await well(a, b);
    await expectAllReached(a, b, 1);
  });
});

describe.skipIf(redisProgram() === null)('a Cluster', () => {
  it('uses sharded pub/sub, on all of its servers', async () => {
    const { primaries } = await startCluster();
    const redis = redisConfig({ nodes: [`127.0.0.1:${primaries[1]?.port}`] });
    const b = await joinRedis(redis);
    await followAll(b);
    const sharded = await Promise.all(
      primaries.map(async (node) => (await node.command('PUBSUB', 'SHARDCHANNELS')) as string[]),
    );
    for (const channels of sharded) expect(channels.length).toBeGreaterThan(3);
    // A probe on each, everybody's, its own, and the users'.
    expect(sharded.flat()).toHaveLength(primaries.length + 2 + UIDS.length);
  });

  it('loses a primary: found, and its users are followed at the replica that takes over', async () => {
    const { primaries, replicas } = await startCluster({ replicas: true });
    const redis = redisConfig({ nodes: primaries.map(({ port }) => `127.0.0.1:${port}`) });
    const [a, b] = [await joinRedis(redis), await joinRedis(redis)];
    await followAll(b);
    const at = performance.now();
    await primaries[0]?.kill();
    expect(await foundAfter(b, at)).toBeLessThan(FOUND_MS);
    await until(
      'the replica has taken over',
      async () => String(await replicas[0]?.command('ROLE')).startsWith('master'),
      20_000,
    );
    await well(a, b);
    expectGapAfterUp(b);
    await expectAllReached(a, b, 1);
  });

  it('freezes a primary: found within five seconds, the others go on meanwhile', async () => {
    const { primaries } = await startCluster({ replicas: true });
    const redis = redisConfig({ nodes: primaries.map(({ port }) => `127.0.0.1:${port}`) });
    const [a, b] = [await joinRedis(redis), await joinRedis(redis)];
    await followAll(b);
    const frozen = primaries[2];
    const at = performance.now();
    frozen?.freeze();
    const channels = new Channels(redis.prefix, { node: 'n', process: 'p' });
    const onFirst = UIDS.find((uid) => keySlot(channels.user(uid)) < 5461) ?? 0;
    a.bus.publish(pushTo(onFirst, 9));
    await until('it comes', () => marksOf(b.events).includes(9), 1000);
    expect(await foundAfter(b, at)).toBeLessThan(FOUND_MS);
    await well(a, b);
    expectGapAfterUp(b);
    await expectAllReached(a, b, 1);
    frozen?.goOn();
  });

  it.each([
    'user:100',
    'all',
    'probe:',
  ])('moves the slot of %s to another primary: all are followed there', async (what) => {
    const { primaries } = await startCluster();
    const redis = redisConfig({ nodes: primaries.map(({ port }) => `127.0.0.1:${port}`) });
    const [a, b] = [await joinRedis(redis), await joinRedis(redis)];
    await followAll(b);
    const [from] = primaries;
    const channels = (
      await Promise.all(
        primaries.map(async (node) => (await node.command('PUBSUB', 'SHARDCHANNELS')) as string[]),
      )
    ).flat();
    const channel = channels.find((name) => name.startsWith(`${redis.prefix}${what}`)) ?? '';
    const slot = keySlot(channel);
    const to = slot < 5461 ? primaries[1] : from;
    const id = String(await to?.command('CLUSTER', 'MYID'));
    for (const node of [to, ...primaries.filter((node) => node !== to)]) {
      await node?.command('CLUSTER', 'SETSLOT', String(slot), 'NODE', id);
    }
    await until('both have noticed', () => a.gaps() > 0 && b.gaps() > 0, FOUND_MS + 5000);
    await well(a, b);
    await expectAllReached(a, b, 1);
  });
});

describe.skipIf(redisProgram() === null)('connections that are cut again and again', () => {
  it.each([
    ['pubsub', 'those that are subscribed'],
    ['normal', 'those that publish'],
  ])('(%s: %s) lose nothing without a gap that is told later, repeat nothing, change no order', async (type) => {
    const server = await OwnRedis.start();
    const redis = redisConfig({ port: server.port });
    let published = 0;
    let atLastGap = -1;
    const a = await joinRedis(redis);
    const seen: number[] = [];
    const b = await joinRedis(redis, {
      listener: {
        onEvent: (event) => seen.push(...marksOf([event])),
        onGap: () => {
          atLastGap = published;
        },
      },
    });
    await b.bus.follow(7);
    const publish = async (ms: number) => {
      for (const end = Date.now() + ms; Date.now() < end; ) {
        for (let n = 0; n < 5; n += 1) {
          published += 1;
          a.bus.publish(pushTo(7, published));
        }
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    };
    for (let cut = 0; cut < 12; cut += 1) {
      await publish(30 + ((cut * 37) % 200));
      // The connection that says so is a normal one too, and new: its own end is not of interest.
      await server.command('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes');
    }
    await publish(100);
    await well(a, b);
    await a.bus.probe({ deadlineMs: 2000 });
    await b.bus.probe({ deadlineMs: 2000 });
    const got = new Set(seen);
    const lost = () => Array.from({ length: published }, (_, n) => n + 1).filter((mark) => !got.has(mark));
    await until('the last gap is after what was lost last', () => (lost().at(-1) ?? 0) <= atLastGap, 8000);
    expect(got.size).toBe(seen.length);
    expect(seen).toEqual([...seen].sort((x, y) => x - y));
    expect(seen.length).toBeGreaterThan(published / 4);
    published += 1;
    a.bus.publish(pushTo(7, published));
    await until('what is published now comes', () => seen.at(-1) === published);
  });
});

describe.skipIf(redisProgram() === null)('many users', () => {
  it('100,000 of one process are followed, and again after a reconnection', async () => {
    const server = await OwnRedis.start();
    const redis = redisConfig({ port: server.port });
    const [a, b] = [await joinRedis(redis), await joinRedis(redis)];
    const count = 100_000;
    for (let from = 1; from <= count; from += 10_000) {
      await Promise.all(Array.from({ length: 10_000 }, (_, n) => b.bus.follow(from + n)));
    }
    await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    const at = performance.now();
    await until('b has lost it', () => !b.bus.healthy);
    await well(a, b);
    expect(performance.now() - at).toBeLessThan(20_000);
    expectGapAfterUp(b);
    a.bus.publish(pushTo(count, 1));
    await until('it comes', () => marksOf(b.events).includes(1));
  });
});
