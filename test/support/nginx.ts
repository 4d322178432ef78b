/**
 * nginx in front of a daemon, with deploy/nginx.conf or another sample: only ports and paths are replaced, and what stands around it on a
 * real machine is put around it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './daemon.js';
import { repositoryFile } from './kept-file.js';

const READY_MS = 10_000;

export class Nginx {
  readonly port: number;
  readonly #process: ChildProcess;
  readonly #folder: string;

  private constructor(process: ChildProcess, port: number, folder: string) {
    this.#process = process;
    this.port = port;
    this.#folder = folder;
  }

  /** @param sample the sites, with the addresses of deploy/nginx.conf */
  static async start(
    program: string,
    daemonPort: number,
    sample: string = repositoryFile('deploy/nginx.conf'),
  ): Promise<Nginx> {
    const port = await freePort();
    const folder = mkdtempSync(path.join(tmpdir(), 'spush-'));
    const sites = replaceAll(sample, [
      ['listen 80;', `listen 0.0.0.0:${port};`],
      ['server 127.0.0.1:9501;', `server 127.0.0.1:${daemonPort};`],
      ['/var/log/nginx/', `${folder}/`],
    ]);
    writeFileSync(path.join(folder, 'spush.conf'), sites);
    writeFileSync(path.join(folder, 'nginx.conf'), around(folder));
    mkdirSync(path.join(folder, 'temp'));
    const child = spawn(program, ['-p', folder, '-c', path.join(folder, 'nginx.conf')], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const nginx = new Nginx(child, port, folder);
    await nginx.#untilListening();
    return nginx;
  }

  /** Lines of the access log of the sample. */
  accessLog(): string[] {
    return readFileSync(path.join(this.#folder, 'spush.access.log'), 'utf8').trimEnd().split('\n');
  }

  /** What the sample logs as errors. */
  errorLog(): string {
    return readFileSync(path.join(this.#folder, 'spush.error.log'), 'utf8');
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    if (this.#process.exitCode === null) {
      this.#process.kill('SIGTERM');
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #untilListening(): Promise<void> {
    for (const deadline = Date.now() + READY_MS; Date.now() < deadline; await sleep(20)) {
      if (this.#process.exitCode !== null) break;
      if (await answers(this.port)) return;
    }
    await this.stop();
    throw new Error('nginx does not listen');
  }
}

/** One process that stays in the foreground and writes in its folder only. */
function around(folder: string): string {
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 8192; }
http {
  access_log off;
${temp.map((name) => `  ${name}_temp_path ${folder}/temp/${name};`).join('\n')}
  include ${folder}/spush.conf;
}
${process.getuid?.() === 0 ? 'user root;\n' : ''}`;
}

function replaceAll(text: string, pairs: readonly (readonly [string, string])[]): string {
  return pairs.reduce((result, [from, to]) => {
    if (!result.includes(from)) throw new Error(`the sites have no "${from}"`);
    return result.replaceAll(from, to);
  }, text);
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
