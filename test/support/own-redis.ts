/**
 * Redis servers of a test's own: on free ports, in a temporary folder, stopped by their pids. Never the machine's Redis.
 * A single server that can be frozen and killed, a primary with replica and Sentinels, a Cluster.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { onTestFinished } from 'vitest';
import { freePort } from './free-port.js';
import { outsideProgram } from './outside-program.js';

const READY_MS = 10_000;

/** Where what has to be ended is noted: `onTestFinished`, or a list that `afterAll` goes through. */
export type AtEnd = (end: () => Promise<void>) => void;

/** The path of redis-server, or null to skip. */
export function redisProgram(): string | null {
  return outsideProgram('redis-server', 'apt-get install redis-server');
}

export class OwnRedis {
  readonly port: number;
  readonly #args: readonly string[];
  readonly #folder: string;
  #process: ChildProcess | null = null;

  private constructor(port: number, folder: string, args: readonly string[]) {
    this.port = port;
    this.#folder = folder;
    this.#args = args;
  }

  /** @param settings as in redis.conf, by name. Stopped at the end of the test. */
  static async start(
    settings: Readonly<Record<string, string>> = {},
    atEnd: AtEnd = onTestFinished,
  ): Promise<OwnRedis> {
    const folder = mkdtempSync(path.join(tmpdir(), 'spush-redis-'));
    const own = await freePort();
    const args = Object.entries({
      port: String(own),
      bind: '127.0.0.1',
      dir: folder,
      save: '',
      appendonly: 'no',
      'repl-diskless-sync-delay': '0',
      ...settings,
    }).flatMap(([name, value]) => [`--${name}`, value]);
    return await OwnRedis.#launch(own, folder, args, atEnd);
  }

  /** A Sentinel: it writes its own file. */
  static async startSentinel(conf: string, atEnd: AtEnd): Promise<OwnRedis> {
    const folder = mkdtempSync(path.join(tmpdir(), 'spush-redis-'));
    const port = await freePort();
    const file = path.join(folder, 'sentinel.conf');
    writeFileSync(file, `port ${port}\nbind 127.0.0.1\ndir ${folder}\n${conf}`);
    return await OwnRedis.#launch(port, folder, [file, '--sentinel'], atEnd);
  }

  static async #launch(
    port: number,
    folder: string,
    args: readonly string[],
    atEnd: AtEnd,
  ): Promise<OwnRedis> {
    const redis = new OwnRedis(port, folder, args);
    atEnd(() => redis.#end());
    await redis.restart();
    return redis;
  }

  /** On the same port, with the same settings; after `kill`. */
  async restart(): Promise<void> {
    const program = redisProgram();
    if (program === null) throw new Error('redis-server is not there');
    this.#process = spawn(program, this.#args, { stdio: 'ignore' });
    for (const deadline = Date.now() + READY_MS; Date.now() < deadline; await sleep(20)) {
      if (this.#process.exitCode !== null) break;
      if (await this.#answers()) return;
    }
    throw new Error(`redis-server does not answer on port ${this.port}`);
  }

  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  goOn(): void {
    this.#process?.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    const process = this.#process;
    if (!process || process.exitCode !== null || process.signalCode !== null) return;
    const ended = once(process, 'exit');
    process.kill('SIGKILL');
    await ended;
  }

  /** One command over a connection of its own. */
  async command(...words: [string, ...(string | Buffer)[]]): Promise<unknown> {
    const client = this.#client();
    try {
      const [name, ...args] = words;
      return await client.call(name, ...args);
    } finally {
      client.disconnect();
    }
  }

  async #answers(): Promise<boolean> {
    try {
      return (await this.command('PING')) === 'PONG';
    } catch (error) {
      // Not listening yet; a password is asked for: it listens.
      return String(error).includes('NOAUTH');
    }
  }

  #client(): Redis {
    const client = new Redis({
      port: this.port,
      host: '127.0.0.1',
      retryStrategy: null,
      maxRetriesPerRequest: 0,
      enableReadyCheck: false,
      disableClientInfo: true,
    });
    client.on('error', () => {}); // the command tells it too
    return client;
  }

  async #end(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const MEET_AGAIN_MS = 5000;

export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  ms = 15_000,
): Promise<void> {
  for (const deadline = Date.now() + ms; Date.now() < deadline; await sleep(20)) {
    if (await holds()) return;
  }
  throw new Error(`not within ${ms} ms: ${what}`);
}

export interface OwnSentinels {
  readonly servers: readonly [OwnRedis, OwnRedis];
  readonly sentinels: readonly OwnRedis[];
  readonly name: string;
  /** Port of the primary as the first Sentinel sees it. */
  primaryPort(): Promise<number>;
}

/**
 * A primary, a replica, two Sentinels that agree after half a second.
 * @param more settings of the two servers, and lines of the Sentinels' files.
 */
export async function startSentinels(
  atEnd: AtEnd = onTestFinished,
  more: { redis: Readonly<Record<string, string>>; sentinel: string } = { redis: {}, sentinel: '' },
): Promise<OwnSentinels> {
  const name = 'spushtest';
  const primary = await OwnRedis.start(more.redis, atEnd);
  const replica = await OwnRedis.start({ ...more.redis, replicaof: `127.0.0.1 ${primary.port}` }, atEnd);
  await until('the replica follows', async () => String(await replica.command('ROLE')).includes('connected'));
  const conf = [
    `sentinel monitor ${name} 127.0.0.1 ${primary.port} 1`,
    `sentinel down-after-milliseconds ${name} 500`,
    `sentinel failover-timeout ${name} 3000`,
    more.sentinel,
  ].join('\n');
  const sentinels = [await OwnRedis.startSentinel(conf, atEnd), await OwnRedis.startSentinel(conf, atEnd)];
  const [first] = sentinels;
  if (!first) throw new Error('no Sentinel');
  await until('the Sentinels know the replica, and that it could take over', async () => {
    const asked = sentinels.map(async (one) => String(await one.command('SENTINEL', 'REPLICAS', name)));
    return (await Promise.all(asked)).every((text) => text.includes('master-link-status,ok'));
  });
  return {
    servers: [primary, replica],
    sentinels,
    name,
    primaryPort: async () =>
      Number(((await first.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name)) as string[])[1]),
  };
}

/** Three primaries with a third of the slots each, and a replica of each if wanted. */
export async function startCluster(
  { replicas = false, settings: more = {} }: { replicas?: boolean; settings?: Record<string, string> } = {},
  atEnd: AtEnd = onTestFinished,
): Promise<{
  readonly primaries: readonly OwnRedis[];
  readonly replicas: readonly OwnRedis[];
}> {
  const settings = { 'cluster-enabled': 'yes', 'cluster-node-timeout': '1000', ...more };
  const start = async () => {
    // The bus of the Cluster needs a port of its own; the default, port + 10,000, may not exist.
    return await OwnRedis.start({ ...settings, 'cluster-port': String(await freePort()) }, atEnd);
  };
  const primaries = await Promise.all([start(), start(), start()]);
  const followers = replicas ? await Promise.all([start(), start(), start()]) : [];
  const all = [...primaries, ...followers];
  const bounds = [0, 5461, 10_923, 16_384];
  for (const [at, node] of primaries.entries()) {
    await node.command('CLUSTER', 'ADDSLOTSRANGE', String(bounds[at]), String((bounds[at + 1] ?? 0) - 1));
    await node.command('CLUSTER', 'SET-CONFIG-EPOCH', String(at + 1));
  }
  const first = all[0];
  let metAt = Number.NEGATIVE_INFINITY;
  await until('all nodes know each other', async () => {
    // On a loaded machine a handshake is given up, and not begun again by itself.
    if (performance.now() - metAt > MEET_AGAIN_MS) {
      metAt = performance.now();
      for (const node of all.slice(1)) {
        const busPort = await portOfBus(node);
        await first?.command('CLUSTER', 'MEET', '127.0.0.1', String(node.port), busPort);
      }
    }
    const known = await Promise.all(all.map(async (node) => String(await node.command('CLUSTER', 'NODES'))));
    return known.every(
      (text) => text.trim().split('\n').length === all.length && !text.includes('handshake'),
    );
  });
  for (const [at, node] of followers.entries()) {
    const id = String(await primaries[at]?.command('CLUSTER', 'MYID'));
    await node.command('CLUSTER', 'REPLICATE', id);
  }
  await until('the Cluster is whole', async () => {
    const states = await Promise.all(all.map(async (node) => String(await node.command('CLUSTER', 'INFO'))));
    return states.every((text) => text.includes('cluster_state:ok'));
  });
  await until('the replicas follow', async () => {
    const roles = await Promise.all(followers.map(async (node) => String(await node.command('ROLE'))));
    return roles.every((text) => text.includes('connected'));
  });
  return { primaries, replicas: followers };
}

async function portOfBus(node: OwnRedis): Promise<string> {
  const [, port = ''] = (await node.command('CONFIG', 'GET', 'cluster-port')) as string[];
  return port;
}
