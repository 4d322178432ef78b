/**
 * One MariaDB, one Redis and one main site for all daemons of a test run, so that tests which know nothing of them run in
 * PUSHENV 1: each daemon gets a database and a prefix of its own, by its folder. Vitest calls the default export once per
 * project; it does something in the project `env1`, and in any with SPUSH_TEST_PUSHENV=1.
 */
import { createHash } from 'node:crypto';
import { inject } from 'vitest';
import type { TestProject } from 'vitest/node';
import { makeDatabaseAt } from './own-mariadb.js';
import { OwnRedis } from './own-redis.js';
import { nodeEnv, OwnSite, redisAt, type SiteAccess } from './own-site.js';

export interface RunSite {
  readonly site: SiteAccess;
  readonly redisPort: number;
}

declare module 'vitest' {
  interface ProvidedContext {
    runSite: RunSite | null;
  }
}

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (project.name !== 'env1' && process.env['SPUSH_TEST_PUSHENV'] !== '1') {
    project.provide('runSite', null);
    return undefined;
  }
  const ends: (() => Promise<void>)[] = [];
  const site = await OwnSite.start();
  ends.push(() => site.close());
  const redis = await OwnRedis.start({}, (end) => ends.push(end));
  project.provide('runSite', { site: site.access, redisPort: redis.port });
  return async () => {
    for (const end of ends.reverse()) await end();
  };
}

/** Null: this run is in PUSHENV 0. */
export function runSite(): RunSite | null {
  return inject('runSite') ?? null;
}

/** For a daemon with this folder: the same again when it is started again. */
export async function envOfHome({ site, redisPort }: RunSite, home: string): Promise<Record<string, string>> {
  const name = `home_${createHash('sha256').update(home).digest('hex').slice(0, 16)}`;
  const db = await makeDatabaseAt(site.mariadb, name);
  return nodeEnv(site, db, redisAt(redisPort), `${name}:`);
}
