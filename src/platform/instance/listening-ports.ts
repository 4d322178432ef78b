/** Which TCP ports are listened on, and by which sockets, as /proc tells it. */
import { readdir, readFile, readlink } from 'node:fs/promises';

/** The inode names this very socket, whoever opens the port next. */
export interface ListeningPort {
  readonly port: number;
  /** As the kernel writes it, in hex: eight digits for IPv4, 32 for IPv6. */
  readonly address: string;
  readonly inode: string;
}

/** A line: number, local address:port in hex, remote, state (0A: listening), …, inode as the tenth field. */
export async function allListening(): Promise<ListeningPort[]> {
  const tables = ['/proc/net/tcp', '/proc/net/tcp6'].map((file) =>
    orEmpty(readFile(file, 'utf8').then((text) => text.split('\n'))),
  );
  return (await Promise.all(tables)).flat().flatMap((line) => {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
    const [address, port] = local?.split(':') ?? [];
    return state === '0A' && address !== undefined && port !== undefined && inode !== undefined
      ? [{ port: Number.parseInt(port, 16), address, inode }]
      : [];
  });
}

/** Sockets that a process has open; none when it has ended, or is of another user. */
export async function socketInodes(pid: number): Promise<string[]> {
  const folder = `/proc/${pid}/fd`;
  const inodes: string[] = [];
  for (const fd of await orEmpty(readdir(folder))) {
    const [target = ''] = await orEmpty(readlink(`${folder}/${fd}`).then((text) => [text]));
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode !== undefined) inodes.push(inode);
  }
  return inodes;
}

/** Descriptors and processes end while they are listed; a machine without IPv6 has no table for it. */
async function orEmpty(reading: Promise<string[]>): Promise<string[]> {
  try {
    return await reading;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM') return [];
    throw error;
  }
}
