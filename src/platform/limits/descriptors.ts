/**
 * File descriptors: how many a process may have, and what it needs them for. A connection costs one, and a process that has
 * none left can neither accept nor refuse, open its log, or ask its database. So the number of connections is bounded by
 * what is left when everything else has its part, before the kernel does it.
 */
import { readFileSync } from 'node:fs';
import { SpushError } from '../../shared/base/errors.js';
import type { Config } from '../config/config-schema.js';

/** Standard streams, event loops, worker threads, log, channel to the master. At rest 34 were seen. */
const PROCESS = 40;
/** The embedded store's file with its journal, and those of the spill. */
const STORE_FILES = 8;
/** Two connections to each server of Redis, and those under way while they are made anew. */
const REDIS_PER_SERVER = 4;
const REDIS_SERVERS_MAX = 16;
/** Connections that are being refused, or have just arrived from another Worker; a log that is opened anew. */
const SPARE = 32;
/** Of the rest, for connections that are no WebSockets. */
const HTTP_PART = 0.25;
const LINKS_MIN = 32;

/** The master's: for each child a channel, and a pipe while it starts. */
const PER_CHILD = 3;
const CONTROL_CONNECTIONS = 64;
/** Copies of what is handed from Worker to Worker. */
const HAND_OVER = 32;
const WAITING_MIN = 16;
const WAITING_MAX = 1024;

/** What one Worker may hold. */
export interface WorkerRoom {
  readonly links: number;
  readonly http: number;
}

/** RLIMIT_NOFILE of this process, which Node raises to the hard limit at its start; null when it cannot be told. */
export function descriptorLimit(): number | null {
  let text: string;
  try {
    text = readFileSync('/proc/self/limits', 'utf8');
  } catch {
    // No Linux, or no /proc: then nothing is known, and nothing is bounded by it.
    return null;
  }
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(text)?.[1];
  return soft === undefined || soft === 'unlimited' ? null : Number(soft);
}

/** What a Worker has room for. With a limit that is not known nothing is less than configured. */
export function workerRoom(config: Config, limit: number | null): WorkerRoom {
  const { HttpConnectionsMax, MaxLinkNumber } = config.system;
  if (limit === null) return { links: MaxLinkNumber, http: HttpConnectionsMax };
  const rest = Math.max(0, limit - workerNeeds(config));
  const http = Math.min(HttpConnectionsMax, Math.floor(rest * HTTP_PART));
  return { links: Math.max(0, rest - http), http };
}

/** MaxLinkNumber, or what all Workers have room for if that is less. */
export function effectiveMaxLinks(config: Config, limit: number | null): number {
  const { MaxLinkNumber, WorkerNum } = config.system;
  return Math.min(MaxLinkNumber, WorkerNum * workerRoom(config, limit).links);
}

/** How many accepted connections may wait in the master for a Worker. */
export function masterRoom(config: Config, limit: number | null): number {
  if (limit === null) return WAITING_MAX;
  return Math.min(WAITING_MAX, Math.max(WAITING_MIN, limit - masterNeeds(config)));
}

/** In words, when the limit is why fewer connections fit than MaxLinkNumber says; null when all fit. */
export function descriptorShortage(config: Config, limit: number | null): string | null {
  const { MaxLinkNumber } = config.system;
  const effective = effectiveMaxLinks(config, limit);
  if (effective >= MaxLinkNumber) return null;
  return `${effective} connections fit, not MaxLinkNumber ${MaxLinkNumber}: each process may have ${limit} open files (ulimit -n, LimitNOFILE of systemd); ${limitFor(config)} are needed`;
}

/** @throws SpushError START_FAILED when not even a small server can work */
export function assertEnoughDescriptors(config: Config, limit: number | null): void {
  if (limit === null) return;
  const least = Math.max(
    workerNeeds(config) + LINKS_MIN / (1 - HTTP_PART),
    masterNeeds(config) + WAITING_MIN,
  );
  if (limit >= least) return;
  throw new SpushError(
    'START_FAILED',
    `a process may have ${limit} open files; spush needs ${Math.ceil(least)} at least with this configuration, and ${limitFor(config)} for MaxLinkNumber ${config.system.MaxLinkNumber}: raise ulimit -n, or LimitNOFILE in the unit of systemd`,
  );
}

/** The limit with which MaxLinkNumber is reached. */
function limitFor(config: Config): number {
  const { MaxLinkNumber, WorkerNum, HttpConnectionsMax } = config.system;
  const links = Math.ceil(MaxLinkNumber / WorkerNum);
  const http = Math.min(HttpConnectionsMax, Math.ceil((links * HTTP_PART) / (1 - HTTP_PART)));
  return Math.max(workerNeeds(config) + links + http, masterNeeds(config) + WAITING_MIN);
}

function workerNeeds(config: Config): number {
  const { env, db, redis, gzcp } = config;
  const site = gzcp.verifyUrl === null ? 0 : gzcp.concurrency;
  if (env === 0) return PROCESS + STORE_FILES + site + SPARE;
  const servers = Math.min(REDIS_SERVERS_MAX, Math.max(1, redis.nodes.length));
  return PROCESS + STORE_FILES + db.poolSize + servers * REDIS_PER_SERVER + site + SPARE;
}

function masterNeeds({ system: { WorkerNum, TaskWorkerNum } }: Config): number {
  return PROCESS + PER_CHILD * (WorkerNum + TaskWorkerNum + 1) + CONTROL_CONNECTIONS + HAND_OVER;
}
