/**
 * How the others fare while somebody misbehaves: a caller that posts and a reader that pings, 50 times a second each, and
 * how long each waited; and the memory of the Workers.
 */
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Daemon } from './daemon.js';
import { WsClient } from './ws-client.js';

const EVERY_MS = 20;

export interface Waits {
  readonly callerP99Ms: number;
  readonly readerP99Ms: number;
  readonly failures: readonly string[];
}

/** Runs both until `during` is over. Every fifth call has a new connection, so that accepting is seen too. */
export async function waitsDuring(daemon: Daemon, during: () => Promise<unknown>): Promise<Waits> {
  const failures: string[] = [];
  const caller: number[] = [];
  const reader: number[] = [];
  let over = false;
  const client = await WsClient.login(daemon.wsUrl, 800_001);
  const timed = async (into: number[], work: () => Promise<boolean>): Promise<void> => {
    while (!over) {
      const begun = performance.now();
      try {
        if (!(await work())) failures.push('not answered with 200');
      } catch (error) {
        failures.push(String(error));
      }
      into.push(performance.now() - begun);
      await sleep(EVERY_MS);
    }
  };
  let n = 0;
  const both = [
    timed(caller, async () => {
      n += 1;
      if (n % 5 === 0) return (await connectAndCall(daemon.port)) === 200;
      const body = { uid: 800_002, title: 'how is it', deliver: 'cron' };
      return (await daemon.post('/api/comment/message', body)).status === 200;
    }),
    timed(reader, async () => (await client.ask('ping')).code === 200),
  ];
  try {
    await during();
  } finally {
    over = true;
    await Promise.all(both);
    await client.close();
  }
  return { callerP99Ms: p99(caller), readerP99Ms: p99(reader), failures };
}

function connectAndCall(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = get({ host: '127.0.0.1', port, path: '/healthz', agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    call.on('error', reject);
  });
}

/** Resident MiB of all Workers together. */
export function workersMiB(daemon: Daemon): number {
  let kib = 0;
  for (const [title, pid] of daemon.children()) {
    if (!title.includes('.Worker.')) continue;
    kib += Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  }
  return Math.round(kib / 1024);
}

/** CPU seconds of every process of the node since it started. */
export function cpuSeconds(daemon: Daemon): number {
  let ticks = 0;
  for (const pid of daemon.tree()) {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / 100;
}

function p99(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round((sorted[Math.floor(sorted.length * 0.99)] ?? 0) * 10) / 10;
}
