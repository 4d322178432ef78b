/** RedisBus through the contract: one server, Sentinels, a Cluster with sharded pub/sub and one that has none. */
import { afterAll, beforeAll, describe, onTestFinished } from 'vitest';
import { createLayoutFinder, type LayoutFinder } from '../../src/platform/bus/redis/redis-layout.js';
import type { RedisConf, RedisConfig } from '../../src/platform/config/config-schema.js';
import { silentLog } from '../../src/platform/log/log.js';
import { type BusWorld, busContract } from '../contract/bus-contract.js';
import { OwnRedis, redisProgram, startCluster, startSentinels } from '../support/own-redis.js';
import { joinRedis, redisConfig } from '../support/redis-buses.js';

const ends: (() => Promise<void>)[] = [];
const atEnd = (end: () => Promise<void>): void => void ends.push(end);

interface Servers {
  readonly all: readonly OwnRedis[];
  readonly conf: RedisConf;
}

const KINDS: Readonly<Record<string, () => Promise<Servers>>> = {
  'RedisBus on one server': async () => {
    const server = await OwnRedis.start({}, atEnd);
    return { all: [server], conf: { port: server.port } };
  },
  'RedisBus with Sentinels': async () => {
    const { servers, sentinels, name } = await startSentinels(atEnd);
    const addresses = sentinels.map(({ port }) => `127.0.0.1:${port}`);
    return { all: servers, conf: { sentinels: addresses, sentinelName: name } };
  },
  'RedisBus on a Cluster': async () => {
    const { primaries } = await startCluster({}, atEnd);
    return { all: primaries, conf: { nodes: primaries.map(({ port }) => `127.0.0.1:${port}`) } };
  },
};

/** As of a Cluster of Redis 6. */
function withoutShards(redis: RedisConfig): LayoutFinder {
  const finder = createLayoutFinder({ redis, name: 'test', log: silentLog });
  return {
    changes: true,
    find: async (open) => ({ ...(await finder.find(open)), sharded: false, forwards: true }),
    close: () => finder.close(),
  };
}

describe.skipIf(redisProgram() === null)('RedisBus', () => {
  afterAll(async () => {
    for (const end of ends.splice(0)) await end();
  });

  for (const [name, start] of Object.entries(KINDS)) {
    describe(name, () => {
      let servers: Servers;
      beforeAll(async () => {
        servers = await start();
      });
      const world = worldOf(
        () => servers,
        () => ({}),
      );
      busContract(name, world);
      if (name !== 'RedisBus on a Cluster') return;
      const plain = worldOf(
        () => servers,
        (redis) => ({ finder: withoutShards(redis) }),
        false,
      );
      busContract('RedisBus on a Cluster without sharded pub/sub', plain);
    });
  }
});

/** A world for each test: channels of its own on the same servers. */
function worldOf(
  servers: () => Servers,
  options: (redis: RedisConfig) => { finder?: LayoutFinder },
  probesFollowEvents = true,
): () => BusWorld {
  let world: BusWorld | null = null;
  return () => {
    if (world) return world;
    const redis = redisConfig(servers().conf);
    onTestFinished(() => {
      world = null;
    });
    world = {
      join: (joining) => joinRedis(redis, { ...joining, ...options(redis) }),
      async interrupt(_member, meanwhile) {
        for (const server of servers().all) await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
        await meanwhile();
      },
      probesFollowEvents,
    };
    return world;
  };
}
