/**
 * What nodes of PUSHENV 1 need around them, all a test's own: a MariaDB, a main site that knows the same keys as the
 * built-in verifier of PUSHENV 0 (`dev-176906` is user 176906), and the secrets that calls and news are signed with. Redis
 * is named by who starts the nodes, as there are several kinds of it.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { ApiKey } from '../../src/platform/auth/signature.js';
import { answerJson, FakeGzcp } from './fake-gzcp.js';
import { type MariadbAccess, type MariadbPlace, mariadbProgram, OwnMariadb } from './own-mariadb.js';
import { redisProgram } from './own-redis.js';

export const SITE_KEY: ApiKey = { id: 'site', secret: 'what the main site signs its calls with' };
export const SITE_BUS_KEY = { id: 'bus1', secret: 'what the nodes sign their news with, long enough' };
const GZCP_SECRET = 'between the main site and us';
const DEV_KEY = /^dev-([1-9]\d{0,15})$/;

/** Whether the programs are there; says what to install when they are not. */
export function canHaveOwnSite(): boolean {
  // Both are looked for, so that both are named.
  const [mariadb, redis] = [mariadbProgram(), redisProgram()];
  return mariadb !== null && redis !== null;
}

/** Where its parts are, also for another process than the one that has started them. */
export interface SiteAccess {
  readonly mariadb: MariadbPlace;
  readonly gzcpUrl: string;
}

export class OwnSite {
  readonly mariadb: OwnMariadb;
  readonly gzcp: FakeGzcp;
  readonly #gzcpUrl: string;

  private constructor(mariadb: OwnMariadb, gzcp: FakeGzcp, gzcpUrl: string) {
    this.mariadb = mariadb;
    this.gzcp = gzcp;
    this.#gzcpUrl = gzcpUrl;
  }

  static async start(): Promise<OwnSite> {
    const program = mariadbProgram();
    if (program === null) throw new Error('mariadbd is not there');
    const gzcp = new FakeGzcp((call, res) => {
      const uid = Number(DEV_KEY.exec(call.loginkey)?.[1] ?? 0);
      const token = createHash('md5').update(`${call.timestamp}${call.loginkey}${GZCP_SECRET}`).digest('hex');
      if (token === call.token) answerJson(res, { code: 200, data: { uid } });
      else answerJson(res, { code: 403, data: {} });
    });
    const mariadb = await OwnMariadb.start(program, ['--max-connections=400']);
    return new OwnSite(mariadb, gzcp, await gzcp.listen());
  }

  get access(): SiteAccess {
    return { mariadb: this.mariadb.place, gzcpUrl: this.#gzcpUrl };
  }

  async close(): Promise<void> {
    await this.mariadb.stop();
    await this.gzcp.close();
  }
}

/** A Redis at a port of this machine, be it the server's own or that of a way to it. */
export function redisAt(port: number): Record<string, string> {
  return { SPUSH_REDIS_HOST: '127.0.0.1', SPUSH_REDIS_PORT: String(port) };
}

/** What the nodes of one database and one Redis have in common. */
export function nodeEnv(
  { gzcpUrl }: SiteAccess,
  db: MariadbAccess,
  redis: Readonly<Record<string, string>>,
  prefix = `t${randomBytes(4).toString('hex')}:`,
): Record<string, string> {
  return {
    PUSHENV: '1',
    SPUSH_DB_HOST: db.host,
    SPUSH_DB_PORT: String(db.port),
    SPUSH_DB_USER: db.user,
    SPUSH_DB_PASSWORD: db.password,
    SPUSH_DB_DATABASE: db.database,
    SPUSH_REDIS_PREFIX: prefix,
    SPUSH_REDIS_BUS_KEYS: JSON.stringify([SITE_BUS_KEY]),
    SPUSH_GZCP_VERIFY_URL: gzcpUrl,
    SPUSH_GZCP_SECRET: GZCP_SECRET,
    SPUSH_API_KEYS: JSON.stringify({ [SITE_KEY.id]: SITE_KEY.secret }),
    ...redis,
  };
}
