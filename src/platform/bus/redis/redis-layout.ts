/**
 * Where Redis is at the moment: one server as configured, the one that the Sentinels name, or the primaries of a Cluster
 * with their slots. It is asked for again every few seconds and whenever a server is lost.
 */

import { errorText, SpushError } from '../../../shared/base/errors.js';
import { addressText } from '../../../shared/base/host-and-port.js';
import type { RedisConfig } from '../../config/config-schema.js';
import type { Log } from '../../log/log.js';
import { SLOTS } from './key-slot.js';
import { parseAddress, RedisLink, type ServerAddress, within } from './redis-link.js';

/** Time for one server's answer. */
const ANSWER_MS = 1000;

export interface SlotRange {
  readonly from: number;
  readonly to: number;
}

export interface LayoutServer {
  readonly address: ServerAddress;
  /** In a Cluster what it holds; else everything. */
  readonly slots: readonly SlotRange[];
}

export interface Layout {
  readonly servers: readonly LayoutServer[];
  /** Channels lie on slots as keys do (SSUBSCRIBE, SPUBLISH); else news is the same on all servers. */
  readonly sharded: boolean;
  /** Processes may be at different servers, which forward to each other what is published, in no order. */
  readonly forwards: boolean;
}

export interface LayoutFinder {
  /** Whether the answer can change. */
  readonly changes: boolean;
  /** @param open connections that work, asked before others are made. */
  find(open: readonly RedisLink[]): Promise<Layout>;
  close(): void;
}

/** How the text begins when none could be asked. */
export const NO_SENTINEL = 'no Sentinel answers';

const ALL_SLOTS: readonly SlotRange[] = [{ from: 0, to: SLOTS - 1 }];

export interface FinderDeps {
  readonly redis: RedisConfig;
  readonly name: string;
  readonly log: Log;
}

export function createLayoutFinder(deps: FinderDeps): LayoutFinder {
  const { redis } = deps;
  if (redis.nodes.length > 0) return new ClusterFinder(deps);
  if (redis.sentinels.length > 0) return new SentinelFinder(deps);
  const layout: Layout = {
    servers: [{ address: { host: redis.host, port: redis.port }, slots: ALL_SLOTS }],
    sharded: false,
    forwards: false,
  };
  return { changes: false, find: async () => layout, close() {} };
}

/** In words, for a person: what was asked for. */
export function whereRedisIs({ nodes, sentinels, sentinelName, host, port }: RedisConfig): string {
  if (nodes.length > 0) return `the Redis Cluster of ${nodes.join(', ')}`;
  if (sentinels.length > 0) return `the Redis ${sentinelName} of the Sentinels ${sentinels.join(', ')}`;
  return `Redis at ${addressText({ host, port })}`;
}

/** All Sentinels are asked; the one with the newest configuration is right, as after a fail-over some are behind. */
class SentinelFinder implements LayoutFinder {
  readonly changes = true;
  readonly #deps: FinderDeps;
  readonly #links = new Map<string, RedisLink>();
  #closed = false;

  constructor(deps: FinderDeps) {
    this.#deps = deps;
  }

  async find(): Promise<Layout> {
    const { sentinels, sentinelName } = this.#deps.redis;
    const faults: string[] = [];
    const answers = await Promise.all(
      sentinels.map(async (sentinel) => {
        try {
          return await this.#ask(sentinel, sentinelName ?? '');
        } catch (error) {
          this.#forget(sentinel);
          faults.push(`${sentinel}: ${errorText(error)}`);
          return null;
        }
      }),
    );
    const newest = answers.reduce(
      (best, next) => (next && next.epoch > (best?.epoch ?? -1) ? next : best),
      null,
    );
    if (newest === null) throw new SpushError('RPC_PEER_GONE', `${NO_SENTINEL}: ${faults.join('; ')}`);
    return { servers: [{ address: newest.address, slots: ALL_SLOTS }], sharded: false, forwards: false };
  }

  close(): void {
    this.#closed = true;
    for (const sentinel of [...this.#links.keys()]) this.#forget(sentinel);
  }

  async #ask(sentinel: string, name: string): Promise<{ address: ServerAddress; epoch: number }> {
    const { client } = await this.#link(sentinel);
    const asked = client.call('SENTINEL', 'MASTER', name);
    const fields = fieldsOf(await within(ANSWER_MS, asked, 'no answer'));
    const [host, port, epoch] = [
      fields.get('ip'),
      Number(fields.get('port')),
      Number(fields.get('config-epoch')),
    ];
    if (!host || !Number.isInteger(port) || !Number.isFinite(epoch))
      throw new Error('an answer without address');
    return { address: { host, port }, epoch };
  }

  async #link(sentinel: string): Promise<RedisLink> {
    const known = this.#links.get(sentinel);
    if (known && !known.lost) return known;
    const { redis, name } = this.#deps;
    const link = await RedisLink.open({ address: parseAddress(sentinel), redis, name, isSentinel: true });
    if (this.#closed) {
      link.close();
      throw new Error('closed');
    }
    this.#links.set(sentinel, link);
    return link;
  }

  #forget(sentinel: string): void {
    this.#links.get(sentinel)?.close();
    this.#links.delete(sentinel);
  }
}

class ClusterFinder implements LayoutFinder {
  readonly changes = true;
  readonly #deps: FinderDeps;
  #known: readonly ServerAddress[] = [];
  #sharded: boolean | null = null;

  constructor(deps: FinderDeps) {
    this.#deps = deps;
  }

  async find(open: readonly RedisLink[]): Promise<Layout> {
    const faults: string[] = [];
    for (const link of open) {
      try {
        return await this.#ask(link);
      } catch (error) {
        faults.push(`${addressText(link.address)}: ${errorText(error)}`);
      }
    }
    const { redis, name } = this.#deps;
    for (const address of [...this.#known, ...redis.nodes.map(parseAddress)]) {
      let link: RedisLink | null = null;
      try {
        link = await RedisLink.open({ address, redis, name });
        return await this.#ask(link);
      } catch (error) {
        faults.push(`${addressText(address)}: ${errorText(error)}`);
      } finally {
        link?.close();
      }
    }
    throw new SpushError('RPC_PEER_GONE', `no node of the Cluster answers: ${faults.join('; ')}`);
  }

  close(): void {}

  async #ask({ client, address }: RedisLink): Promise<Layout> {
    this.#sharded ??= await within(ANSWER_MS, hasShardedPubSub(client), 'no answer');
    const servers = serversOf(await within(ANSWER_MS, client.call('CLUSTER', 'SLOTS'), 'no answer'), address);
    if (servers.length === 0) throw new Error('it knows of no slots: has the Cluster been created?');
    this.#known = servers.map((server) => server.address);
    return { servers, sharded: this.#sharded, forwards: !this.#sharded };
  }
}

/** Since Redis 7. */
async function hasShardedPubSub(client: RedisLink['client']): Promise<boolean> {
  const [command] = (await client.call('COMMAND', 'INFO', 'spublish')) as unknown[];
  return Array.isArray(command);
}

/** `[from, to, [address, port, id, …], replicas…]…`; an empty address is the one that was asked. */
function serversOf(reply: unknown, asked: ServerAddress): LayoutServer[] {
  const byAddress = new Map<string, { address: ServerAddress; slots: SlotRange[] }>();
  for (const row of Array.isArray(reply) ? reply : []) {
    const [from, to, primary] = row as [number, number, [string | null, number]];
    const address = { host: primary[0] || asked.host, port: primary[1] };
    const key = addressText(address);
    const server = byAddress.get(key) ?? { address, slots: [] };
    server.slots.push({ from, to });
    byAddress.set(key, server);
  }
  const servers = [...byAddress.values()];
  for (const { slots } of servers) slots.sort((a, b) => a.from - b.from);
  return servers.sort((a, b) => (addressText(a.address) < addressText(b.address) ? -1 : 1));
}

/** A flat list of names and values. */
function fieldsOf(reply: unknown): Map<string, string> {
  const flat = Array.isArray(reply) ? reply.map(String) : [];
  return new Map(flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] ?? '']] : [])));
}
