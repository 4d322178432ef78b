/**
 * A MariaDB server of its own for a test: free port, temporary folder, ended by its process. The machine's own server is
 * never touched. It can be frozen, killed and started again on the same port and data.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, createConnection } from 'mysql2/promise';
import { DATABASE_RIGHTS } from '../../src/platform/store/mysql/mysql-faults.js';
import { freePort } from './free-port.js';
import { outsideProgram } from './outside-program.js';

const READY_MS = 60_000;
const HINT = 'apt-get install mariadb-server (only the program is used, the service may stay off)';

/** What the store needs to reach it. */
export interface MariadbAccess {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** Where a server that another process has started is. */
export interface MariadbPlace {
  readonly socket: string;
  readonly port: number;
}

/** Path of the server's program, or null to skip. */
export function mariadbProgram(): string | null {
  return outsideProgram('mariadbd', HINT);
}

export class OwnMariadb {
  readonly folder: string;
  readonly port: number;
  readonly #program: string;
  readonly #flags: readonly string[];
  #child: ChildProcess | null = null;
  #databases = 0;

  private constructor(program: string, folder: string, port: number, flags: readonly string[]) {
    this.#program = program;
    this.folder = folder;
    this.port = port;
    this.#flags = flags;
  }

  /** @param flags of mariadbd, besides those of this file. */
  static async start(program: string, flags: readonly string[] = []): Promise<OwnMariadb> {
    const folder = mkdtempSync(path.join(tmpdir(), 'spush-mariadb-'));
    const install = outsideProgram('mariadb-install-db', HINT);
    if (install === null) throw new Error('there is a mariadbd, but no mariadb-install-db');
    const { username } = userInfo();
    execFileSync(
      install,
      [
        '--no-defaults',
        `--datadir=${path.join(folder, 'data')}`,
        `--user=${username}`,
        '--auth-root-authentication-method=normal',
        '--skip-test-db',
        '--skip-name-resolve',
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const server = new OwnMariadb(program, folder, await freePort(), [`--user=${username}`, ...flags]);
    await server.run();
    return server;
  }

  /** Starts the program on the port and data it had before; with more flags this one time. */
  async run(flags: readonly string[] = []): Promise<void> {
    const file = (name: string) => path.join(this.folder, name);
    this.#child = spawn(
      this.#program,
      [
        '--no-defaults',
        `--datadir=${file('data')}`,
        `--socket=${file('s')}`,
        `--pid-file=${file('pid')}`,
        `--log-error=${file('error.log')}`,
        `--port=${this.port}`,
        '--bind-address=127.0.0.1',
        '--skip-name-resolve',
        '--innodb-buffer-pool-size=128M',
        '--innodb-log-file-size=64M',
        ...this.#flags,
        ...flags,
      ],
      { stdio: 'ignore' },
    );
    await this.#untilReady(this.#child);
  }

  /** A database of its own with a user who may do in it what docs/OPERATIONS.md grants. */
  async makeDatabase(): Promise<MariadbAccess> {
    this.#databases += 1;
    return await makeDatabaseAt(this.place, `test_${this.#databases}`);
  }

  get place(): MariadbPlace {
    return { socket: path.join(this.folder, 's'), port: this.port };
  }

  async asRoot<T>(work: (root: Connection) => Promise<T>): Promise<T> {
    return await asRootAt(this.place, work);
  }

  /** It answers nothing any more; its connections stay open, and the kernel goes on accepting new ones. */
  freeze(): void {
    this.#running().kill('SIGSTOP');
  }

  thaw(): void {
    this.#running().kill('SIGCONT');
  }

  /** As a machine that loses power, but for what is in the kernel's cache. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** As by its operator: it writes everything it has. */
  async shutDown(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async stop(): Promise<void> {
    if (this.#child !== null) {
      this.thaw();
      await this.#end('SIGKILL');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  #running(): ChildProcess {
    if (this.#child === null) throw new Error('the server does not run');
    return this.#child;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#running();
    this.#child = null;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await ended;
  }

  async #untilReady(child: ChildProcess): Promise<void> {
    for (const deadline = Date.now() + READY_MS; Date.now() < deadline; await sleep(50)) {
      if (child.exitCode !== null || child.signalCode !== null) break;
      const ready = await this.asRoot(async () => true).catch(() => false);
      if (ready) return;
    }
    const log = readFileSync(path.join(this.folder, 'error.log'), 'utf8').slice(-2000);
    await this.stop();
    throw new Error(`mariadbd does not answer: ${log}`);
  }
}

/** A database, unless it is there, with a user who may do in it what docs/OPERATIONS.md grants. */
export async function makeDatabaseAt(place: MariadbPlace, database: string): Promise<MariadbAccess> {
  await asRootAt(place, async (root) => {
    await root.query(`CREATE DATABASE IF NOT EXISTS ${database} CHARACTER SET utf8mb4`);
    await root.query(`CREATE USER IF NOT EXISTS 'spush'@'%' IDENTIFIED BY 'right'`);
    await root.query(`GRANT ${DATABASE_RIGHTS} ON ${database}.* TO 'spush'@'%'`);
  });
  return { host: '127.0.0.1', port: place.port, user: 'spush', password: 'right', database };
}

async function asRootAt<T>({ socket }: MariadbPlace, work: (root: Connection) => Promise<T>): Promise<T> {
  const root = await createConnection({ socketPath: socket, user: 'root' });
  try {
    // A test may have set the server up against everybody who connects.
    await root.query(
      'SET NAMES utf8mb4, autocommit = 1, completion_type = 0, max_statement_time = 0, sql_select_limit = 1000000, sql_safe_updates = 0, sql_big_selects = 1',
    );
    await root.query('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE');
    return await work(root);
  } finally {
    await root.end();
  }
}
