/**
 * One connection to one Redis server. It never reconnects: when anything is wrong with it, it is lost, once, and whoever
 * holds it makes a new one and knows that there was a gap. So ioredis queues nothing, repeats nothing and subscribes to
 * nothing by itself.
 */
import { readFile } from 'node:fs/promises';
import { Redis, type RedisOptions } from 'ioredis';
import { SpushError } from '../../../shared/base/errors.js';
import { addressText } from '../../../shared/base/host-and-port.js';
import type { RedisConfig } from '../../config/config-schema.js';

/** Time for TCP, TLS, password and the server's word that it has loaded its data. */
export const OPEN_DEADLINE_MS = 2000;
/** A closed connection whose peer does not answer is cut after this. */
const CLOSE_MS = 100;
const READ_FIRST_MS = 100;

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

/** `host:port` or `[host]:port`, as the configuration has checked it. */
export function parseAddress(text: string): ServerAddress {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}

export interface LinkOptions {
  readonly address: ServerAddress;
  readonly redis: RedisConfig;
  /** Shown by CLIENT LIST. */
  readonly name: string;
  /** A Sentinel has a user and a password of its own and no databases. */
  readonly isSentinel?: boolean;
}

export class RedisLink {
  readonly client: Redis;
  readonly address: ServerAddress;
  #lost: Error | null = null;
  #closed = false;
  #onLost: ((error: Error) => void) | null = null;

  private constructor(client: Redis, address: ServerAddress) {
    this.client = client;
    this.address = address;
  }

  /** Resolves when commands can be sent. */
  static async open(options: LinkOptions): Promise<RedisLink> {
    const { address } = options;
    const client = new Redis(await clientOptions(options));
    const link = new RedisLink(client, address);
    client.on('error', (error: Error) => link.#lose(error));
    client.on('close', () => link.#lose(new Error('the connection was closed')));
    // A slot has moved: ioredis says so in place of an answer, which then never comes.
    client.on('moved', () => link.#lose(new Error('the slot has moved to another node of the Cluster')));
    try {
      await within(OPEN_DEADLINE_MS, client.connect(), `${addressText(address)} does not answer`);
      if (link.#lost) throw link.#lost;
      return link;
    } catch (error) {
      link.close();
      // "Connection is closed" is what the promise says; why, the event said before.
      throw link.#lost ?? error;
    }
  }

  /** Null while it is well. */
  get lost(): Error | null {
    return this.#lost;
  }

  /** Told once, also when it was lost before. */
  onLost(told: (error: Error) => void): void {
    this.#onLost = told;
    if (this.#lost) told(this.#lost);
  }

  /** Whoever uses it has found that it does not do its work. */
  fail(error: unknown): void {
    this.#lose(error instanceof Error ? error : new Error(String(error)));
  }

  close(): void {
    this.#closed = true;
    this.client.disconnect();
    // Waiting for a peer that does not answer is of no use; what was promised is rejected now.
    this.client.stream?.destroy();
  }

  #lose(error: Error): void {
    if (this.#lost || this.#closed) return;
    this.#lost = error;
    this.#onLost?.(error);
  }
}

/**
 * Settles as the work does, or rejects with RPC_TIMEOUT. After a stop of our own loop, what has come meanwhile is read
 * before it is called silence.
 */
export async function within<T>(deadlineMs: number, work: Promise<T>, late: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    const giveUp = (): void => reject(new SpushError('RPC_TIMEOUT', `${late} within ${deadlineMs} ms`));
    timer = setTimeout(() => {
      timer = setTimeout(giveUp, READ_FIRST_MS);
    }, deadlineMs);
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

async function clientOptions({
  address,
  redis,
  name,
  isSentinel = false,
}: LinkOptions): Promise<RedisOptions> {
  const password = isSentinel ? redis.sentinelPassword : redis.password;
  const username = isSentinel ? redis.sentinelUsername : redis.username;
  return {
    ...address,
    ...(password === '' ? {} : { password }),
    ...(username === null ? {} : { username }),
    ...(redis.tls ? { tls: await tlsOptions(redis, address) } : {}),
    db: isSentinel ? 0 : redis.db,
    connectionName: name,
    lazyConnect: true,
    connectTimeout: OPEN_DEADLINE_MS,
    disconnectTimeout: CLOSE_MS,
    enableReadyCheck: !isSentinel,
    enableOfflineQueue: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: null,
    disableClientInfo: true,
    keepAlive: 10_000,
  };
}

async function tlsOptions(
  { tlsCa }: RedisConfig,
  { host }: ServerAddress,
): Promise<{ ca?: Buffer; servername?: string }> {
  return {
    ...(tlsCa === null ? {} : { ca: await readFile(tlsCa) }),
    // An address is no name: Node refuses it here and checks the certificate for it anyway.
    ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
  };
}
