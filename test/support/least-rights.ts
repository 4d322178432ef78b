/**
 * Servers with the users that docs/OPERATIONS.md makes, from its blocks as they are printed, and what these servers say of
 * rights that were missing. Their default users stay as they are: the test asks with them.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { docBlock } from './doc-blocks.js';
import { outsideProgram } from './outside-program.js';
import { mariadbProgram, OwnMariadb } from './own-mariadb.js';
import type { OwnRedis } from './own-redis.js';

export const PAGE = 'docs/OPERATIONS.md';
export const REDIS_RIGHTS = '### A user of Redis for spush';
export const DATABASE = '## The database (PUSHENV 1, 2)';
/** Passwords of the page. */
export const REDIS_PASSWORD = 'REDIS-PASSWORD';
export const SENTINEL_PASSWORD = 'SENTINEL-PASSWORD';
const DB_PASSWORD = 'DB-PASSWORD';
/** The addresses that the page gives to nodes, and those that they have here. */
const ADDRESSES: readonly [page: string, here: string] = ['10.0.0.%', '127.0.0.%'];

export const ONE_SERVER = /^user spush on .*\+publish/m;
export const CLUSTER_NODE = /^user spush on .*\+cluster\|slots/m;
export const SENTINEL = /^user spush on .*\+sentinel\|master/m;

/** @param which of the blocks with ACL lines. */
export function aclBlock(which: RegExp): string {
  return docBlock(PAGE, REDIS_RIGHTS, which);
}

/** Paths of files with these lines, for `aclfile`; removed with `remove`. */
export function aclFile(lines: string): { readonly file: string; remove(): Promise<void> } {
  const folder = mkdtempSync(path.join(tmpdir(), 'spush-acl-'));
  const file = path.join(folder, 'users.acl');
  writeFileSync(file, `user default on nopass ~* &* +@all\n${lines}`);
  return { file, remove: async () => rmSync(folder, { recursive: true, force: true }) };
}

/** Every command, key and channel that was refused to somebody, in words; none is as it should be. */
export async function refusals(server: OwnRedis): Promise<string[]> {
  const entries = (await server.command('ACL', 'LOG')) as unknown[][];
  return entries.map((entry) => entry.map(String).join(' '));
}

/** Names of the commands that were run since the last CONFIG RESETSTAT, `client|setname` for example. */
export async function commandsRun(server: OwnRedis): Promise<string[]> {
  const text = String(await server.command('INFO', 'commandstats'));
  return [...text.matchAll(/^cmdstat_([^:]+):/gm)].map(([, name]) => name ?? '').sort();
}

/** A MariaDB that writes down every error that it gives to anybody. */
export class GrantedMariadb {
  readonly server: OwnMariadb;

  private constructor(server: OwnMariadb) {
    this.server = server;
  }

  static async start(): Promise<GrantedMariadb> {
    const flags = ['--plugin-load-add=sql_errlog', '--sql-error-log-filename=errors.log'];
    return new GrantedMariadb(await OwnMariadb.start(mariadbProgram() ?? '', flags));
  }

  /** @param has tells which block of the page. */
  apply(has: string): void {
    const program = outsideProgram('mariadb', 'apt-get install mariadb-server');
    if (program === null) throw new Error('there is a mariadbd, but no mariadb');
    const [page, here] = ADDRESSES;
    const statements = docBlock(PAGE, DATABASE, has);
    if (!statements.includes(page)) throw new Error(`the addresses of the page are not ${page} any more`);
    const { status, stderr } = spawnSync(
      program,
      ['--no-defaults', `--socket=${this.server.place.socket}`, '-uroot'],
      { input: statements.replaceAll(page, here), encoding: 'utf8' },
    );
    if (status !== 0) throw new Error(`${statements}\n${stderr}`);
  }

  /** What a node is told to find it; the database and the user are those of conf/. */
  get env(): Record<string, string> {
    return {
      SPUSH_DB_HOST: '127.0.0.1',
      SPUSH_DB_PORT: String(this.server.port),
      SPUSH_DB_PASSWORD: DB_PASSWORD,
    };
  }

  /** Errors that were given for want of a right: "denied" of a user, a database, a table, a column, a privilege. */
  denials(): string[] {
    const file = path.join(this.server.folder, 'data/errors.log');
    if (!existsSync(file)) throw new Error(`${file} is not there: nothing would be noticed`);
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => /denied/i.test(line));
  }
}
