/**
 * The file of the control socket: for the owner alone, replaced when a dead master left it, never when a living one
 * listens, and made again when somebody removes or replaces it while we run. That it cannot be made is a trouble.
 */
import { chmod, lstat, mkdir, unlink } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { Troubles } from '../../platform/health/troubles.js';
import { FOLDER_MODES, tighten } from '../../platform/instance/private-modes.js';
import { whoListens } from '../../platform/instance/unix-listener.js';
import type { Log } from '../../platform/log/log.js';
import { errorText, SpushError } from '../../shared/base/errors.js';

/** How often the file is looked for. */
export const LOOK_EVERY_MS = 2000;
/** Nobody but the owner may read or write the socket. */
const SOCKET_MODE = 0o600;
const SOCKET_UMASK = 0o177;

export interface ControlSocketOptions {
  readonly path: string;
  readonly troubles: Pick<Troubles, 'begin' | 'end'>;
  readonly log: Log;
  onConnection(socket: Socket): void;
}

export class ControlSocket {
  readonly #options: ControlSocketOptions;
  #server: Server | null = null;
  /** Device and inode of the file that the server listens on. */
  #identity = '';
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

  /** Throws when what is at the path must stay. */
  async #makeRoom(): Promise<void> {
    const { path, log } = this.#options;
    const found = await lookAt(path);
    if (found === null) return;
    if (!found.isSocket) {
      throw new SpushError('START_FAILED', `${path} is in the way: it is not a socket; move it away`);
    }
    if ((await listenerAt(path)) === 'living') {
      throw new SpushError('ALREADY_RUNNING', `another master listens on ${path}; stop it first`);
    }
    log.info('control.staleSocket', { path });
    await unlink(path);
  }

  async #listen(): Promise<void> {
    const { path } = this.#options;
    const server = await listenForOwner(path, this.#options);
    const found = await lookAt(path);
    this.#identity = found?.identity ?? '';
    this.#server = server;
  }

  #lookLater(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(async () => {
      const { path, troubles } = this.#options;
      try {
        await this.#look();
        troubles.end('controlSocket');
      } catch (error) {
        troubles.begin('controlSocket', `the control socket ${path} cannot be made: ${errorText(error)}`);
      }
      this.#lookLater();
    }, LOOK_EVERY_MS);
  }

  async #look(): Promise<void> {
    const { path, log } = this.#options;
    const found = await lookAt(path);
    if (found && this.#server && found.identity === this.#identity) {
      if (found.mode !== SOCKET_MODE) await chmod(path, SOCKET_MODE);
      return;
    }
    if (found) await this.#makeRoom();
    log.warn('control.socketVanished', { path });
    // First the old one: closing it unlinks the path, whatever is there.
    this.#server?.close();
    this.#server = null;
    await mkdir(dirname(path), { recursive: true, mode: FOLDER_MODES.temp });
    if (this.#closed) return;
    await this.#listen();
    if (this.#closed) this.close();
  }
}

function listenForOwner(
  path: string,
  { onConnection, log }: Pick<ControlSocketOptions, 'onConnection' | 'log'>,
): Promise<Server> {
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
        resolve(server);
      });
    } finally {
      process.umask(umask);
    }
  });
}

async function keepForOwner(folder: string): Promise<void> {
  try {
    await tighten(folder, FOLDER_MODES.temp);
  } catch (cause) {
    throw new SpushError('START_FAILED', `${folder} cannot be kept for its owner: ${errorText(cause)}`, {
      cause,
    });
  }
}

interface Found {
  readonly identity: string;
  readonly isSocket: boolean;
  readonly mode: number;
}

async function lookAt(path: string): Promise<Found | null> {
  try {
    const stats = await lstat(path, { bigint: true });
    const mode = Number(stats.mode & 0o777n);
    return { identity: `${stats.dev}:${stats.ino}`, isSocket: stats.isSocket(), mode };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function listenerAt(path: string): Promise<'nobody' | 'dead' | 'living'> {
  try {
    return await whoListens(path);
  } catch (cause) {
    throw new SpushError('START_FAILED', `cannot tell who listens on ${path}: ${errorText(cause)}`, {
      cause,
    });
  }
}
