/** A real spush in a folder of its own: started, asked, stopped or killed by its pids. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type ApiKey, isSigned, signCall } from '../../src/platform/auth/signature.js';
import { freePort } from './free-port.js';
import { noteNoSecondTry } from './no-second-try.js';
import { outputOf } from './output-of.js';
import { SITE_KEY } from './own-site.js';
import { envOfHome, runSite } from './run-site.js';

export { freePort };

const ROOT = path.resolve(import.meta.dirname, '../..');
const EXECUTABLE = path.join(ROOT, 'bin/spush.js');
const READY_MS = 30_000;

export interface DaemonOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** A folder to keep its data in, or a fresh one that is removed at the end. */
  readonly home?: string;
  readonly port?: number;
  /** The folder in which it is started; by default the project's. */
  readonly cwd?: string;
  /** Files that each of its processes may have open, as `ulimit -n`. */
  readonly openFiles?: number;
  /** The user it runs as, and its commands; this one by default. */
  readonly user?: number;
  /** Signs what `post` and `get` send, unless the test has signed it. */
  readonly key?: ApiKey;
}

export interface CommandResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Daemon {
  readonly home: string;
  readonly port: number;
  readonly #env: NodeJS.ProcessEnv;
  readonly #ownsHome: boolean;
  readonly #openFiles: number | null;
  readonly #cwd: string;
  readonly #key: ApiKey | null;
  readonly #as: { readonly uid?: number; readonly gid?: number };
  #process: ChildProcess | null = null;
  #output = '';

  private constructor(home: string, port: number, options: DaemonOptions) {
    const { env, home: given, openFiles, key, user } = options;
    this.home = home;
    this.port = port;
    this.#ownsHome = given === undefined;
    this.#openFiles = openFiles ?? null;
    this.#cwd = options.cwd ?? ROOT;
    this.#key = key ?? null;
    this.#as = user === undefined ? {} : { uid: user, gid: user };
    if (user !== undefined) chownSync(home, user, user);
    this.#env = {
      ...cleanEnvironment(),
      SPUSH_HOME: home,
      SPUSH_ROOT: ROOT,
      SPUSH_HOST: '127.0.0.1',
      SPUSH_PORT: String(port),
      PUSHENV: '0',
      ...env,
    };
  }

  static async prepare(options: DaemonOptions = {}): Promise<Daemon> {
    const home = options.home ?? mkdtempSync(path.join(tmpdir(), 'spush-'));
    const port = options.port ?? (await freePort());
    const site = runSite();
    if (site === null || options.env?.['PUSHENV'] !== undefined) return new Daemon(home, port, options);
    const env = { ...(await envOfHome(site, home)), ...withSiteKey(options.env ?? {}) };
    return new Daemon(home, port, { ...options, env, key: SITE_KEY });
  }

  static async start(options: DaemonOptions = {}): Promise<Daemon> {
    const daemon = await Daemon.prepare(options);
    await daemon.start();
    return daemon;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get wsUrl(): string {
    return `ws://127.0.0.1:${this.port}/`;
  }

  /** What it and its commands are started with. */
  get environment(): NodeJS.ProcessEnv {
    return this.#env;
  }

  /** Everything it has printed. */
  get output(): string {
    return this.#output;
  }

  get masterPid(): number {
    const pid = this.#process?.pid;
    if (pid === undefined) throw new Error('not started');
    return pid;
  }

  /** Starts it in the foreground; resolves when it has printed its banner, which comes after everything listens. */
  async start(): Promise<void> {
    const command = [process.execPath, EXECUTABLE, 'server', 'start'];
    const limited = ['-c', 'ulimit -n "$0"; exec "$@"', String(this.#openFiles), ...command];
    const [program = '', ...words] = this.#openFiles === null ? command : ['/bin/sh', ...limited];
    const child = spawn(program, words, {
      cwd: this.#cwd,
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...this.#as,
    });
    this.#process = child;
    this.#output = '';
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`not ready within ${READY_MS} ms:\n${this.#output}`)),
        READY_MS,
      );
      const onData = (data: Buffer): void => {
        this.#output += data.toString();
        if (/server start as pid/.test(this.#output)) {
          clearTimeout(timer);
          resolve();
        }
      };
      child.stdout.on('data', onData);
      child.stderr.on('data', onData);
      child.once('exit', (code, signal) => {
        clearTimeout(timer);
        reject(new Error(`ended with ${code ?? signal} before it was ready:\n${this.#output}`));
      });
    });
  }

  /** Pids of the master and everything under it. */
  tree(): number[] {
    return processTree(this.masterPid);
  }

  /** Child pids by process title, e.g. `spush.websocket.Worker.0`. */
  children(): Map<string, number> {
    const found = new Map<string, number>();
    for (const pid of this.tree()) {
      const title = processTitle(pid);
      if (title) found.set(title, pid);
    }
    return found;
  }

  /** The last lines of the log about a child or by it; empty when there is no log. */
  logOf(pid: number): string {
    const file = path.join(this.home, 'Log/websocket.log');
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
    return lines
      .filter((line) => new RegExp(`[pP]id":${pid}\\b`).test(line))
      .slice(-5)
      .join('\n');
  }

  /** Titles of all processes by pid, those that are starting included: while one is replaced, two have the same. */
  processes(): Map<number, string> {
    const found = new Map<number, string>();
    for (const pid of this.tree()) {
      const words = readProc(pid, 'cmdline')
        ?.split('\0')
        .map((word) => word.trim());
      const title = words?.find((word) => /^spush\.\w+\.\w+/.test(word));
      if (title) found.set(pid, title);
    }
    return found;
  }

  /** Pid of a child that is starting: it has its title as an argument, not yet as its name. */
  starting(title: string): number | undefined {
    return this.tree().find((pid) => readProc(pid, 'cmdline')?.split('\0').includes(title));
  }

  /** kill -9 of every process at once. Resolves when all are gone. */
  async killAll(): Promise<void> {
    const pids = this.tree();
    for (const pid of pids) signal(pid, 'SIGKILL');
    await Promise.all(pids.map((pid) => gone(pid)));
    this.#process = null;
  }

  /** SIGTERM to the master; answers its exit code. */
  async stop(): Promise<number | null> {
    const child = this.#process;
    if (!child) return null;
    this.#process = null;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    const timer = setTimeout(() => {
      for (const pid of processTree(child.pid ?? 0)) signal(pid, 'SIGKILL');
    }, 30_000);
    const code = await exited;
    clearTimeout(timer);
    return code;
  }

  /** Stops it and removes its folder. */
  async dispose(): Promise<void> {
    await this.stop();
    const faults = faultsIn(path.join(this.home, 'Log'));
    if (this.#ownsHome) rmSync(this.home, { recursive: true, force: true });
    if (faults.length === 0) return;
    noteNoSecondTry(`${this.home}: ${faults.length} uncaught exceptions`);
    throw new Error(`processes ended by exceptions that nobody caught:\n${faults.join('\n')}`);
  }

  /** Runs a spush command against it. */
  run(...args: string[]): Promise<CommandResult> {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [EXECUTABLE, ...args], {
        cwd: ROOT,
        env: this.#env,
        ...this.#as,
      });
      const output = outputOf(child);
      child.once('error', reject);
      child.once('close', (exitCode) => resolve({ exitCode, ...output }));
    });
  }

  /** Takes jobs off their schedule, so that only the runs that a test asks for take place. */
  async stopJobs(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      const { exitCode, stderr } = await this.run('crontab', 'stop', `--name=${name}`);
      if (exitCode !== 0) throw new Error(`crontab stop --name=${name}: ${stderr}`);
    }
  }

  async post(urlPath: string, body: unknown, headers: Record<string, string> = {}): Promise<HttpAnswer> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return await this.#call('POST', urlPath, { 'content-type': 'application/json', ...headers }, text);
  }

  async get(urlPath: string, headers: Record<string, string> = {}): Promise<HttpAnswer> {
    return await this.#call('GET', urlPath, headers);
  }

  /** The headers that make a call valid here; none when its calls are not signed. */
  signature(method: string, urlPath: string, body = '', contentType = ''): Record<string, string> {
    if (!this.#key) return {};
    const timestamp = Math.floor(Date.now() / 1000);
    const call = { method, path: urlPath, contentType, body, timestamp, nonce: randomUUID() };
    return signCall(this.#key, call);
  }

  async #call(
    method: string,
    urlPath: string,
    headers: Record<string, string>,
    body?: string,
  ): Promise<HttpAnswer> {
    const lower = Object.fromEntries(Object.entries(headers).map(([k, v]) => [k.toLowerCase(), v]));
    // The main site signs; who says that he calls from elsewhere is somebody else.
    const isOther = isSigned(lower) || 'x-real-ip' in lower || 'x-forwarded-for' in lower;
    const response = await fetch(`${this.url}${urlPath}`, {
      method,
      headers: isOther
        ? headers
        : { ...headers, ...this.signature(method, urlPath, body, lower['content-type']) },
      ...(body === undefined ? {} : { body }),
    });
    return {
      status: response.status,
      headers: response.headers,
      body: (await response.json()) as HttpAnswer['body'],
    };
  }
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: an answer of the program under test; tests look into it as they need
  readonly body: { code: number; msg: string; data: any };
}

/** A test's own keys, and the one that its calls are signed with. */
function withSiteKey(env: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const keys = env['SPUSH_API_KEYS'];
  if (keys === undefined) return env;
  return { ...env, SPUSH_API_KEYS: JSON.stringify({ ...JSON.parse(keys), [SITE_KEY.id]: SITE_KEY.secret }) };
}

/** The environment without what would configure spush from outside. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const env = { ...process.env };
  for (const name of Object.keys(env)) {
    if (name.startsWith('SPUSH_') || name === 'PUSHENV' || name.startsWith('VITEST')) delete env[name];
  }
  delete env['NODE_OPTIONS'];
  return env;
}

function processTree(root: number): number[] {
  const parents = new Map<number, number>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = readProc(Number(entry), 'stat');
    const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields?.[1] && fields[0] !== 'Z') parents.set(Number(entry), Number(fields[1]));
  }
  const tree = parents.has(root) ? [root] : [];
  for (const pid of tree) {
    for (const [child, parent] of parents) if (parent === pid) tree.push(child);
  }
  return tree;
}

function processTitle(pid: number): string | null {
  const command = readProc(pid, 'cmdline')?.split('\0')[0]?.trim();
  return command?.startsWith('spush.') ? command : null;
}

function readProc(pid: number, file: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return null; // it has ended meanwhile
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function gone(pid: number): Promise<void> {
  for (let i = 0; i < 5000; i += 1) {
    const stat = readProc(pid, 'stat');
    if (stat === null || stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z')) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error(`process ${pid} does not end`);
}

/** Lines of the log that tell of exceptions nobody caught, whatever else the test looks at. */
function faultsIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.log'))
    .flatMap(({ name }) => readFileSync(path.join(folder, name), 'utf8').split('\n'))
    .filter((line) => line.includes('"event":"process.fault"'));
}
