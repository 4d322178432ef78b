/**
 * Two nodes with a MariaDB and a Redis of their own, and what can happen to these: each fault knows how to do harm, which
 * nodes must notice, and how it is healed. Nodes reach a single Redis through a way of their own each, which can swallow.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { BlackHole } from './black-hole.js';
import type { Daemon } from './daemon.js';
import { type AtEnd, OwnRedis, startCluster, startSentinels, until } from './own-redis.js';
import { nodeEnv, OwnSite, redisAt } from './own-site.js';
import { startNode } from './start-node.js';

export const FAULT_NAMES = [
  'nothing',
  'redis killed',
  'redis frozen',
  'black hole, both nodes',
  'black hole, one node',
  'mariadb killed',
  'mariadb frozen',
  'node killed',
  'sentinel fail-over',
  'cluster primary killed',
] as const;
export type FaultName = (typeof FAULT_NAMES)[number];

export interface Fault {
  readonly name: FaultName;
  /** Nodes whose /readyz must turn red. */
  readonly red: readonly number[];
  /** Nodes whose processes end. */
  readonly kills: readonly number[];
  harm(): Promise<void>;
  heal(): Promise<void>;
  /** Puts back what the next round needs; after the audit of this one. */
  tidy?(): Promise<void>;
}

export interface FaultWorld {
  readonly site: OwnSite;
  readonly database: string;
  readonly nodes: readonly Daemon[];
  readonly faults: readonly FaultName[];
  fault(name: FaultName): Fault;
}

const BOTH = [0, 1];

export async function openSingleWorld(atEnd: AtEnd, random: () => number): Promise<FaultWorld> {
  const site = await OwnSite.start();
  atEnd(() => site.close());
  const redis = await OwnRedis.start({}, atEnd);
  const holes = [await BlackHole.open(redis.port), await BlackHole.open(redis.port)];
  for (const hole of holes) atEnd(() => hole.close());
  const access = await site.mariadb.makeDatabase();
  const prefix = 'faults:';
  const nodes: Daemon[] = [];
  for (const { port } of holes) {
    const node = await startNode(nodeEnv(site.access, access, redisAt(port), prefix));
    atEnd(() => node.dispose());
    nodes.push(node);
  }
  const pick = () => Math.floor(random() * nodes.length);
  const base = { red: BOTH, kills: [] };
  const { mariadb } = site;
  const makers: Partial<Record<FaultName, () => Omit<Fault, 'name'>>> = {
    nothing: () => ({ ...base, red: [], harm: async () => {}, heal: async () => {} }),
    'redis killed': () => ({ ...base, harm: () => redis.kill(), heal: () => redis.restart() }),
    'redis frozen': () => ({ ...base, harm: async () => redis.freeze(), heal: async () => redis.goOn() }),
    'black hole, both nodes': () => ({
      ...base,
      harm: async () => holes.forEach((hole) => void hole.swallow()),
      heal: async () => holes.forEach((hole) => void hole.heal()),
    }),
    'black hole, one node': () => {
      const at = pick();
      return {
        ...base,
        red: [at],
        harm: async () => holes[at]?.swallow(),
        heal: async () => holes[at]?.heal(),
      };
    },
    'mariadb killed': () => ({ ...base, harm: () => mariadb.kill(), heal: () => mariadb.run() }),
    'mariadb frozen': () => ({
      ...base,
      harm: async () => mariadb.freeze(),
      heal: async () => mariadb.thaw(),
    }),
    'node killed': () => {
      const at = pick();
      const node = nodes[at];
      if (!node) throw new Error('no node');
      return { red: [at], kills: [at], harm: () => node.killAll(), heal: () => node.start() };
    },
  };
  return worldOf({ site, database: access.database, nodes }, makers);
}

export async function openSentinelWorld(atEnd: AtEnd): Promise<FaultWorld> {
  const site = await OwnSite.start();
  atEnd(() => site.close());
  const { servers, sentinels, name, primaryPort } = await startSentinels(atEnd);
  const access = await site.mariadb.makeDatabase();
  const redis = {
    SPUSH_REDIS_SENTINELS: JSON.stringify(sentinels.map(({ port }) => `127.0.0.1:${port}`)),
    SPUSH_REDIS_SENTINEL_NAME: name,
  };
  const nodes = await startNodes(nodeEnv(site.access, access, redis), atEnd);
  let lost: OwnRedis | undefined;
  return worldOf(
    { site, database: access.database, nodes },
    {
      'sentinel fail-over': () => ({
        red: BOTH,
        kills: [],
        async harm() {
          const port = await primaryPort();
          lost = servers.find((server) => server.port === port);
          await lost?.kill();
        },
        async heal() {
          await until('another server is the primary', async () => {
            const port = await primaryPort();
            const now = servers.find((server) => server.port === port);
            return now !== lost && String(await now?.command('ROLE')).startsWith('master');
          });
        },
        async tidy() {
          await lost?.restart();
          await until('the old primary follows', async () =>
            /^slave.*connected/.test(String(await lost?.command('ROLE'))),
          );
          const [first] = sentinels;
          await until('the Sentinel knows that it could take over', async () =>
            String(await first?.command('SENTINEL', 'REPLICAS', name)).includes('master-link-status,ok'),
          );
          // Within failover-timeout a Sentinel does not try again.
          await sleep(6000);
        },
      }),
    },
  );
}

export async function openClusterWorld(atEnd: AtEnd, random: () => number): Promise<FaultWorld> {
  const site = await OwnSite.start();
  atEnd(() => site.close());
  const { primaries, replicas } = await startCluster({ replicas: true }, atEnd);
  const servers = [...primaries, ...replicas];
  const access = await site.mariadb.makeDatabase();
  const redis = { SPUSH_REDIS_NODES: JSON.stringify(primaries.map(({ port }) => `127.0.0.1:${port}`)) };
  const nodes = await startNodes(nodeEnv(site.access, access, redis), atEnd);
  let lost: OwnRedis | undefined;
  const others = (): OwnRedis[] => servers.filter((server) => server !== lost);
  const primaryPorts = async (server: OwnRedis | undefined): Promise<number[]> => {
    const rows = (await server?.command('CLUSTER', 'SLOTS')) as [number, number, [string, number]][];
    return rows.map(([, , [, port]]) => port);
  };
  const whole = async (server: OwnRedis): Promise<boolean> =>
    String(await server.command('CLUSTER', 'INFO')).includes('cluster_state:ok');
  return worldOf(
    { site, database: access.database, nodes },
    {
      'cluster primary killed': () => ({
        red: BOTH,
        kills: [],
        async harm() {
          const ports = await primaryPorts(servers[0]);
          const port = ports[Math.floor(random() * ports.length)];
          lost = servers.find((server) => server.port === port);
          await lost?.kill();
        },
        async heal() {
          await until('a replica has taken over, and all know it', async () => {
            for (const server of others()) {
              const ports = await primaryPorts(server);
              if (ports.includes(lost?.port ?? 0) || ports.length < 3 || !(await whole(server))) return false;
            }
            return true;
          });
        },
        async tidy() {
          await lost?.restart();
          const back = lost;
          await until('the old primary follows', async () =>
            /^slave.*connected/.test(String(await back?.command('ROLE'))),
          );
          lost = undefined;
        },
      }),
    },
  );
}

async function startNodes(env: Readonly<Record<string, string>>, atEnd: AtEnd): Promise<Daemon[]> {
  const nodes: Daemon[] = [];
  for (let n = 0; n < 2; n += 1) {
    const node = await startNode(env);
    atEnd(() => node.dispose());
    nodes.push(node);
  }
  return nodes;
}

function worldOf(
  parts: Pick<FaultWorld, 'site' | 'database' | 'nodes'>,
  makers: Partial<Record<FaultName, () => Omit<Fault, 'name'>>>,
): FaultWorld {
  return {
    ...parts,
    faults: FAULT_NAMES.filter((name) => makers[name] !== undefined),
    fault(name) {
      const made = makers[name]?.();
      if (!made) throw new Error(`"${name}" cannot happen here`);
      return { name, ...made };
    },
  };
}
