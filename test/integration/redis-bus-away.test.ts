/** Users who are followed while Redis is away: nobody is kept waiting, and nothing is missed once it is back. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { LayoutFinder } from '../../src/platform/bus/redis/redis-layout.js';
import { createLayoutFinder } from '../../src/platform/bus/redis/redis-layout.js';
import { silentLog } from '../../src/platform/log/log.js';
import { marksOf, pushTo } from '../contract/bus-contract.js';
import { OwnRedis, redisProgram, startCluster, until } from '../support/own-redis.js';
import { joinRedis, type RedisMember, redisConfig } from '../support/redis-buses.js';

async function secondsOf(work: Promise<void>): Promise<number> {
  const begun = performance.now();
  await work;
  return (performance.now() - begun) / 1000;
}

const isDown = (member: RedisMember) => member.health.at(-1)?.healthy === false;
const isUp = (member: RedisMember) => member.health.at(-1)?.healthy === true;

describe.skipIf(redisProgram() === null)('a user who is followed while Redis is away', () => {
  it('counts as followed at once; his news come when it is back, and a gap is told for what was missed', async () => {
    const server = await OwnRedis.start();
    const redis = redisConfig({ port: server.port });
    const [a, b] = [await joinRedis(redis), await joinRedis(redis)];
    await server.kill();
    await until('both have noticed', () => isDown(a) && isDown(b));
    expect(await secondsOf(b.bus.follow(7))).toBeLessThan(0.1);
    b.bus.publish(pushTo(7, 1));
    await until('own events come without Redis', () => marksOf(b.events).includes(1));
    const gaps = b.gaps();
    await server.restart();
    await until('both are well', () => isUp(a) && isUp(b) && b.gaps() > gaps);
    a.bus.publish(pushTo(7, 2));
    await until('it comes', () => marksOf(b.events).includes(2));
  });

  it('in the moment it goes silent: the wait ends when that is found, and a gap is told when it is back', async () => {
    const server = await OwnRedis.start();
    const redis = redisConfig({ port: server.port });
    const [a, b] = [await joinRedis(redis), await joinRedis(redis)];
    server.freeze();
    expect(await secondsOf(b.bus.follow(7))).toBeLessThan(5);
    const gaps = b.gaps();
    server.goOn();
    await until('both are well', () => isUp(a) && isUp(b) && b.gaps() > gaps);
    a.bus.publish(pushTo(7, 2));
    await until('it comes', () => marksOf(b.events).includes(2));
  });

  it('and left before it is back is not followed then', async () => {
    const server = await OwnRedis.start();
    const redis = redisConfig({ port: server.port });
    const [a, b] = [await joinRedis(redis), await joinRedis(redis)];
    await server.kill();
    await until('both have noticed', () => isDown(a) && isDown(b));
    await b.bus.follow(7);
    b.bus.unfollow(7);
    await server.restart();
    await until('both are well', () => isUp(a) && isUp(b));
    a.bus.publish(pushTo(7, 2));
    await a.bus.probe({ deadlineMs: 3000 });
    await b.bus.probe({ deadlineMs: 3000 });
    expect(b.events).toEqual([]);
  });

  it('by many at every moment of a return: whoever read the store at the last gap or after following has everything', async () => {
    const server = await OwnRedis.start();
    const redis = redisConfig({ port: server.port });
    const stored = new Map<number, number>();
    const read = new Map<number, number>();
    const a = await joinRedis(redis);
    const b = await joinRedis(redis);
    const followed: number[] = [];
    let gapsSeen = b.gaps();
    const lookIntoStore = (uid: number) => read.set(uid, stored.get(uid) ?? 0);
    const checkGap = () => {
      if (b.gaps() === gapsSeen) return;
      gapsSeen = b.gaps();
      for (const uid of followed) lookIntoStore(uid);
    };
    const publishAll = (upTo: number) => {
      for (let uid = 1; uid <= upTo; uid += 1) {
        const mark = (stored.get(uid) ?? 0) + 1;
        stored.set(uid, mark);
        a.bus.publish(pushTo(uid, uid * 1000 + mark));
      }
    };
    await server.kill();
    let back: Promise<void> | null = null;
    for (let round = 1; round <= 120; round += 1) {
      await b.bus.follow(round);
      followed.push(round);
      lookIntoStore(round);
      publishAll(round);
      if (round === 40) back = server.restart();
      await sleep(10);
      checkGap();
    }
    await back;
    await until('both are well', () => isUp(a) && isUp(b));
    publishAll(120);
    await a.bus.probe({ deadlineMs: 3000 });
    await b.bus.probe({ deadlineMs: 3000 });
    checkGap();
    for (const uid of followed) {
      const marks = marksOf(b.events.filter((event) => event.t === 'push' && event.uid === uid));
      const last = stored.get(uid) ?? 0;
      const came = new Set(marks.map((mark) => mark - uid * 1000));
      const missed = Array.from({ length: last }, (_, n) => n + 1).filter(
        (mark) => mark > (read.get(uid) ?? 0) && !came.has(mark),
      );
      expect({ uid, missed }).toEqual({ uid, missed: [] });
    }
  });

  it('whose server of a Cluster is away does not wait, the others are confirmed', async () => {
    const { primaries } = await startCluster();
    const redis = redisConfig({ nodes: primaries.map(({ port }) => `127.0.0.1:${port}`) });
    const b = await joinRedis(redis);
    await primaries[0]?.kill();
    await until('it has noticed', () => isDown(b));
    const uids = Array.from({ length: 50 }, (_, n) => n + 1);
    expect(await secondsOf(Promise.all(uids.map((uid) => b.bus.follow(uid))).then(() => {}))).toBeLessThan(1);
    const gaps = b.gaps();
    await primaries[0]?.restart();
    await until('it is well', () => isUp(b) && b.gaps() > gaps);
  });
});

describe.skipIf(redisProgram() === null)('a Cluster without sharded pub/sub', () => {
  it('loses the server on which everything was subscribed: all are followed at another one', async () => {
    const { primaries } = await startCluster({ replicas: true });
    const redis = redisConfig({ nodes: primaries.map(({ port }) => `127.0.0.1:${port}`) });
    // As of a Cluster of Redis 6; chance always chooses the first server.
    const finder = (): LayoutFinder => {
      const real = createLayoutFinder({ redis, name: 'test', log: silentLog });
      return {
        changes: true,
        find: async (open) => ({ ...(await real.find(open)), sharded: false, forwards: true }),
        close: () => real.close(),
      };
    };
    const join = () => joinRedis(redis, { finder: finder(), random: () => 0 });
    const [a, b] = [await join(), await join()];
    await b.bus.follow(7);
    const gaps = b.gaps();
    const first = [...primaries].sort((one, other) => (String(one.port) < String(other.port) ? -1 : 1))[0];
    await first?.kill();
    await until('both have found the replica', () => isUp(a) && isUp(b) && b.gaps() > gaps, 30_000);
    a.bus.publish(pushTo(7, 1));
    await until('it comes', () => marksOf(b.events).includes(1));
  });
});
