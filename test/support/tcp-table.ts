/** What the kernel knows: established connections by /proc/net/tcp, and which process holds which socket. Linux only. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface TcpRow {
  readonly inode: string;
  /** Bytes written and not yet taken by the other side. */
  readonly unsentBytes: number;
}

const ESTABLISHED = '01';

/** The server's side of the established connections to `port`, by the client's `address:port`. */
export function establishedTo(port: number): Map<string, TcpRow> {
  const rows = new Map<string, TcpRow>();
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
    const [, local, remote, state, queues, , , , , inode] = line.trim().split(/\s+/);
    if (!local || !remote || !queues || !inode || state !== ESTABLISHED) continue;
    if (Number.parseInt(local.slice(9), 16) !== port) continue;
    rows.set(endpoint(remote), { inode, unsentBytes: Number.parseInt(queues, 16) });
  }
  return rows;
}

/** `0100007F:2711` → `127.0.0.1:10001`; the kernel writes addresses in the order of a little-endian machine. */
function endpoint(hex: string): string {
  const address = [6, 4, 2, 0].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join('.');
  return `${address}:${Number.parseInt(hex.slice(9), 16)}`;
}

/** Inodes of sockets, one for each descriptor; none when the process has ended. */
export function socketsOf(pid: number): string[] {
  return descriptorsOf(pid).flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []);
}

/** Every process that holds a socket, once for each of its descriptors, by inode. */
export function socketHolders(pids: readonly number[]): Map<string, number[]> {
  const holders = new Map<string, number[]>();
  for (const pid of pids) {
    for (const inode of socketsOf(pid)) {
      const known = holders.get(inode);
      if (known) known.push(pid);
      else holders.set(inode, [pid]);
    }
  }
  return holders;
}

/** What the descriptors of a process point to. */
function descriptorsOf(pid: number): string[] {
  let names: string[];
  try {
    names = readdirSync(`/proc/${pid}/fd`);
  } catch {
    return []; // it has ended
  }
  return names.flatMap((name) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${name}`)];
    } catch {
      return []; // closed meanwhile
    }
  });
}

export function rssBytes(pid: number): number {
  try {
    const kb = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kb ?? 0) * 1024;
  } catch {
    return 0; // it has ended
  }
}
