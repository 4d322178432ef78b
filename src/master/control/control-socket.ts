/**
 * The file of the control socket: for the owner alone, replaced when a dead master left it, never when a living one
 * listens, and made again when somebody removes it while we run.
 */
import { chmod, lstat, mkdir, stat, unlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { Log } from '../../platform/log/log.js';
import { errorText, SpushError } from '../../shared/base/errors.js';

/** How often the file is looked for. */
export const LOOK_EVERY_MS = 2000;
/** Nobody but the owner may read or write the socket. */
const SOCKET_UMASK = 0o177;
const FOLDER_MODE = 0o700;
/** A listener answers a connection at once, even when its process is stopped; the kernel does it. */
const CONNECT_MS = 1000;

export interface ControlSocketOptions {
  readonly path: string;
  readonly log: Log;
  onConnection(socket: Socket): void;
}

export class ControlSocket {
  readonly #options: ControlSocketOptions;
  #server: Server | null = null;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: ControlSocketOptions) {
    this.#options = options;
  }

  /** Rejects with ALREADY_RUNNING when a living process listens there. */
  async open(): Promise<void> {
    const { path } = this.#options;
    await keepForOwner(dirname(path));
    await this.#makeRoom();
    await this.#listen();
    this.#lookLater();
  }

  /** The file goes with it. Connections stay until they are closed. */
  close(): void {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#server?.close();
    this.#server = null;
  }

  async #makeRoom(): Promise<void> {
    const { path, log } = this.#options;
    switch (await whoListens(path)) {
      case 'nobody':
        return;
      case 'living':
        throw new SpushError('ALREADY_RUNNING', `another master listens on ${path}; stop it first`);
      case 'dead':
        if (!(await lstat(path)).isSocket()) {
          throw new SpushError('START_FAILED', `${path} is in the way: it is not a socket; move it away`);
        }
        log.info('control.staleSocket', { path });
        await unlink(path);
    }
  }

  #listen(): Promise<void> {
    const { path, onConnection, log } = this.#options;
    return new Promise((resolve, reject) => {
      const server = createServer(onConnection);
      server.once('error', (cause) => {
        reject(new SpushError('START_FAILED', `cannot listen on ${path}: ${errorText(cause)}`, { cause }));
      });
      const umask = process.umask(SOCKET_UMASK);
      try {
        // A Unix socket is bound within this call, so it gets its mode from the umask of this moment.
        server.listen(path, () => {
          server.on('error', (error) => log.error('control.socket', { error: errorText(error) }));
          this.#server = server;
          resolve();
        });
      } finally {
        process.umask(umask);
      }
    });
  }

  #lookLater(): void {
    this.#timer = setTimeout(() => {
      this.#look().catch((error: unknown) => {
        this.#options.log.error('control.socketNotMade', { error: errorText(error) });
        if (!this.#closed) this.#lookLater();
      });
    }, LOOK_EVERY_MS);
  }

  async #look(): Promise<void> {
    const { path, log } = this.#options;
    if (!(await exists(path)) && !this.#closed) {
      log.warn('control.socketVanished', { path });
      // First the old one: closing it unlinks the path, whatever is there.
      this.#server?.close();
      this.#server = null;
      await mkdir(dirname(path), { recursive: true, mode: FOLDER_MODE });
      await this.#listen();
      if (this.#closed) this.close();
    }
    if (!this.#closed) this.#lookLater();
  }
}

async function keepForOwner(folder: string): Promise<void> {
  try {
    const { mode } = await stat(folder);
    if ((mode & 0o077) !== 0) await chmod(folder, FOLDER_MODE);
  } catch (cause) {
    throw new SpushError('START_FAILED', `${folder} cannot be kept for its owner: ${errorText(cause)}`, {
      cause,
    });
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

function whoListens(path: string): Promise<'nobody' | 'dead' | 'living'> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const settle = (who: 'nobody' | 'dead' | 'living'): void => {
      socket.destroy();
      resolve(who);
    };
    socket.setTimeout(CONNECT_MS, () => settle('living'));
    socket.once('connect', () => settle('living'));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') settle('nobody');
      else if (error.code === 'ECONNREFUSED') settle('dead');
      // The backlog of a living listener is full.
      else if (error.code === 'EAGAIN') settle('living');
      else reject(new SpushError('START_FAILED', `cannot tell who listens on ${path}: ${error.message}`));
    });
  });
}
