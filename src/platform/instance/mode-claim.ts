/**
 * The claim of a master on its mode in its SPUSH_HOME, kept by the kernel: an abstract Unix socket, whose name one process
 * of the machine can have at a time. No file is behind it, so nothing can delete, empty or forge it; it is given back by the
 * kernel when the process ends, however it ends; and of two starts at the same moment one gets it.
 *
 * Who holds a claim is read from /proc: the process with the master's title that has the socket with this name open. A name
 * that somebody else took (anybody on the machine may) is told apart by that; then the files decide alone. So they do
 * between containers with networks of their own, which do not see each other's names.
 */
import { readdir, stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { errorText } from '../../shared/base/errors.js';
import { masterTitle } from '../../shared/domain/role.js';
import { isCode } from './atomic-files.js';
import { holdsSocket, unixSockets } from './kernel-sockets.js';
import { factsOf, identityIn, processTitle } from './process-identity.js';
import type { KnownProcess } from './signal-process.js';

/** `sun_path` less the zero at its begin. Filled up, because versions of Node differ in what they do with shorter names. */
const NAME_BYTES = 107;

export interface ClaimedMode {
  readonly home: string;
  readonly mode: string;
}

export type ModeClaim =
  /** `holds`: whether it still is the claim on this mode; it is not when somebody has made the home anew. */
  | { readonly state: 'ours'; release(): void; holds(): Promise<boolean> }
  /** A living master has it. */
  | { readonly state: 'taken'; readonly by: KnownProcess }
  /** It cannot be had, and no master has it. */
  | { readonly state: 'none'; readonly reason: string };

/** SPUSH_HOME must be there. */
export async function claimMode(claimed: ClaimedMode): Promise<ModeClaim> {
  const name = await claimName(claimed);
  if (name === null) return { state: 'none', reason: `${claimed.home} is not there` };
  try {
    const server = await listen(name);
    return {
      state: 'ours',
      release: () => void server.close(),
      holds: async () => (await claimName(claimed)) === name,
    };
  } catch (error) {
    const holder = await findHolder(claimed);
    if (holder) return { state: 'taken', by: holder };
    const shown = name.slice(1).replace(/\.+$/, '');
    return { state: 'none', reason: errorText(error).replace(name, shown) };
  }
}

/** The master that holds the claim; null when none does that can be seen from here. */
export async function findHolder(claimed: ClaimedMode): Promise<KnownProcess | null> {
  const name = await claimName(claimed);
  const inode = name === null ? null : await inodeOf(name);
  if (inode === null) return null;
  const title = masterTitle(claimed.mode);
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    if ((await processTitle(pid)) !== title || !(await holdsSocket(pid, new Set([inode])))) continue;
    const facts = factsOf(pid);
    if (facts?.title !== title) continue;
    return { identity: identityIn(facts), uid: facts.uid, title };
  }
  return null;
}

/** Of the folder itself, not of its path: containers may give one path to several folders, and several paths to one. */
async function claimName({ home, mode }: ClaimedMode): Promise<string | null> {
  try {
    const { dev, ino } = await stat(home, { bigint: true });
    return `\0${`spush/${dev}:${ino}/${mode}/`.padEnd(NAME_BYTES, '.')}`;
  } catch (error) {
    if (isCode(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return null;
    throw error;
  }
}

/** Nobody has anything to say there: who connects is cut off. */
function listen(name: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((connection) => connection.destroy());
    server.once('error', reject);
    server.listen({ path: name, backlog: 1 }, () => {
      server.off('error', reject);
      // A connection that cannot be accepted is nothing to anybody.
      server.on('error', () => {});
      server.unref();
      resolve(server);
    });
  });
}

/** Of the socket that listens under this name; in the table zeros are shown as @. */
async function inodeOf(name: string): Promise<string | null> {
  const shown = `@${name.slice(1)}`;
  const socket = (await unixSockets()).find(({ path, listens }) => listens && path === shown);
  return socket?.inode ?? null;
}
