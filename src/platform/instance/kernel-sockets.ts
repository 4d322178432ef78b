/** Sockets as /proc tells of them: TCP ports that are listened on, Unix sockets, and which of them a process has open. */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { unlessGone } from './proc-files.js';

/** The inode names this very socket, whoever opens the port next. */
export interface ListeningPort {
  readonly port: number;
  /** As the kernel writes it, in hex: eight digits for IPv4, 32 for IPv6. */
  readonly address: string;
  readonly inode: string;
}

export interface UnixSocket {
  readonly inode: string;
  /** As the kernel writes it: an abstract name begins with @. Null: it has none, as the end of a client. */
  readonly path: string | null;
  readonly listens: boolean;
}

/** A line: number, local address:port in hex, remote, state (0A: listening), …, inode as the tenth field. */
export async function allListening(): Promise<ListeningPort[]> {
  // A machine without IPv6 has no table for it.
  const tables = ['/proc/net/tcp', '/proc/net/tcp6'].map((file) => unlessGone(readFile(file, 'utf8')));
  return (await Promise.all(tables))
    .flatMap((table) => (table ?? '').split('\n'))
    .flatMap((line) => {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
      const [address, port] = local?.split(':') ?? [];
      return state === '0A' && address !== undefined && port !== undefined && inode !== undefined
        ? [{ port: Number.parseInt(port, 16), address, inode }]
        : [];
    });
}

/** A line: number, references, protocol, flags, type, state, inode, path, which may have blanks in it. */
const UNIX_LINE = /^\S+ \S+ \S+ (\S+) \S+ \S+ +(\d+)(?: (.+))?$/gm;
/** The flags of one that listens. */
const LISTENS = '00010000';

export async function unixSockets(): Promise<UnixSocket[]> {
  const table = (await unlessGone(readFile('/proc/net/unix', 'utf8'))) ?? '';
  return [...table.matchAll(UNIX_LINE)].map(([, flags, inode = '', path = null]) => ({
    inode,
    path,
    listens: flags === LISTENS,
  }));
}

/** Sockets that a process has open; none when it has ended, or is of another user. */
export async function socketInodes(pid: number): Promise<string[]> {
  const inodes: string[] = [];
  for await (const inode of openSockets(pid)) inodes.push(inode);
  return inodes;
}

/** Whether a process has one of these sockets open; false when it has ended, or is of another user. */
export async function holdsSocket(pid: number, inodes: ReadonlySet<string>): Promise<boolean> {
  for await (const inode of openSockets(pid)) if (inodes.has(inode)) return true;
  return false;
}

/** One after the other: of a process with thousands of connections only as many are looked at as are asked for. */
async function* openSockets(pid: number): AsyncGenerator<string, void> {
  const folder = `/proc/${pid}/fd`;
  for (const fd of (await unlessGone(readdir(folder))) ?? []) {
    // Descriptors are closed while they are listed.
    const target = (await unlessGone(readlink(`${folder}/${fd}`))) ?? '';
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode !== undefined) yield inode;
  }
}
